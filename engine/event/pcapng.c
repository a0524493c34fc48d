/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/pcapng.h"

/* Types of blocks (draft-ietf-opsawg-pcapng, section 11.1). */
#define SECTION_HEADER 0x0a0d0d0au
#define INTERFACE_DESCRIPTION 1u
#define INTERFACE_STATISTICS 5u
#define ENHANCED_PACKET 6u

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1u
#define NO_LIMIT UINT64_MAX

/* Options: of every block; of a section; of an interface; of its statistics. */
enum { END_OF_OPTIONS = 0, COMMENT = 1 };
enum { SECTION_APPLICATION = 4 };
enum { INTERFACE_NAME = 2, INTERFACE_RESOLUTION = 9 };
enum { STATISTICS_RECEIVED = 4, STATISTICS_DROPPED = 5 };

struct block {
    unsigned char *bytes;
    size_t length;
};

static void put(struct block *block, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(block->bytes + block->length, bytes, length);
    block->length += length;
}

static void put16(struct block *block, size_t value)
{
    const uint16_t number = (uint16_t)value;
    put(block, &number, sizeof(number));
}

static void put32(struct block *block, size_t value)
{
    const uint32_t number = (uint32_t)value;
    put(block, &number, sizeof(number));
}

static void put64(struct block *block, uint64_t value)
{
    put(block, &value, sizeof(value));
}

static void pad(struct block *block)
{
    while (block->length % 4 != 0)
        block->bytes[block->length++] = 0;
}

static void put_option(struct block *block, unsigned code, const void *value, size_t length)
{
    put16(block, code);
    put16(block, length);
    put(block, value, length);
    pad(block);
}

static struct block begin(unsigned char *out, uint32_t type)
{
    struct block block = {out, 0};
    put32(&block, type);
    put32(&block, 0); /* the length, once it is known */
    return block;
}

/* The length stands at both ends. */
static size_t end(struct block *block)
{
    const uint32_t length = (uint32_t)block->length + 4;
    put32(block, length);
    memcpy(block->bytes + 4, &length, sizeof(length));
    return block->length;
}

static void end_options(struct block *block)
{
    put_option(block, END_OF_OPTIONS, NULL, 0);
}

size_t pcapng_head(unsigned char out[static PCAPNG_HEAD_SIZE], const char *application)
{
    static const char name[] = "interceptd";
    static const uint8_t nanoseconds = 9;
    size_t length = strlen(application);
    struct block section = begin(out, SECTION_HEADER);
    put32(&section, BYTE_ORDER_MAGIC);
    put16(&section, 1); /* version 1.0 */
    put16(&section, 0);
    put64(&section, NO_LIMIT);
    put_option(&section, SECTION_APPLICATION, application, length < 100 ? length : 100);
    end_options(&section);
    length = end(&section);
    struct block interface = begin(out + length, INTERFACE_DESCRIPTION);
    put16(&interface, LINKTYPE_ETHERNET);
    put16(&interface, 0);
    put32(&interface, 0); /* packets are whole */
    put_option(&interface, INTERFACE_NAME, name, strlen(name));
    put_option(&interface, INTERFACE_RESOLUTION, &nanoseconds, sizeof(nanoseconds));
    end_options(&interface);
    return length + end(&interface);
}

/* A time is two words, the high one first. */
static void put_time(struct block *block, uint64_t time)
{
    put32(block, (size_t)(time >> 32));
    put32(block, (size_t)(time & UINT32_MAX));
}

size_t pcapng_packet(unsigned char *out, const struct frame *frame, const char *comment,
                     size_t comment_length)
{
    const size_t length = frame->head_length + frame->data_length;
    struct block block = begin(out, ENHANCED_PACKET);
    put32(&block, 0); /* the interface */
    put_time(&block, frame->time);
    put32(&block, length);
    put32(&block, length);
    put(&block, frame->head, frame->head_length);
    put(&block, frame->data, frame->data_length);
    pad(&block);
    put_option(&block, COMMENT, comment, comment_length);
    end_options(&block);
    return end(&block);
}

size_t pcapng_statistics(unsigned char out[static PCAPNG_STATISTICS_SIZE], uint64_t time,
                         uint64_t received, uint64_t missing)
{
    struct block block = begin(out, INTERFACE_STATISTICS);
    put32(&block, 0);
    put_time(&block, time);
    put_option(&block, STATISTICS_RECEIVED, &received, sizeof(received));
    put_option(&block, STATISTICS_DROPPED, &missing, sizeof(missing));
    end_options(&block);
    return end(&block);
}

void pcap_head(unsigned char out[static PCAP_HEAD_SIZE])
{
    struct block head = {out, 0};
    put32(&head, 0xa1b2c3d4u);
    put16(&head, 2); /* version 2.4 */
    put16(&head, 4);
    put64(&head, 0);
    put32(&head, 65535);
    put32(&head, LINKTYPE_ETHERNET);
}

void pcap_packet(unsigned char *out, const struct frame *frame)
{
    const size_t length = frame->head_length + frame->data_length;
    struct block packet = {out, 0};
    put32(&packet, (size_t)(frame->time / 1000000000));
    put32(&packet, (size_t)(frame->time % 1000000000 / 1000));
    put32(&packet, length);
    put32(&packet, length);
    put(&packet, frame->head, frame->head_length);
    put(&packet, frame->data, frame->data_length);
}
