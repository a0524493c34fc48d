/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * tap.h - reads what is spoken on one connection, in both directions, and tells it.
 *
 * A tap never changes, holds or delays a byte. It is a pure function of its state and the bytes: no
 * sockets, no locks, no clock. What it does not understand ends it with a note, and the bytes flow
 * on without it. One thread.
 *
 * Which reader it is, a struct tap_kind, is chosen by the protocol that was agreed on (ALPN), else
 * by the first bytes (detect.h), else by the port; of a protocol that nobody knows unknown_tap
 * tells how it looks. A reader may hand over to another in mid-connection: HTTP/1 does to
 * WebSocket.
 *
 * Memory: a struct tap and its reader's state live in the connection's arena. All else comes from
 * tap_alloc(), which gives no more than TAP_MEMORY at a time to one connection; a reader states
 * what it takes in its header. Nothing grows with the length of what is read.
 *
 * To write a reader:
 *
 *   1. core/message.h gets a struct for what it tells, plain and borrowed, and a MESSAGE_ kind;
 *   2. tap/NAME_tap.{h,c} define `const struct tap_kind NAME_tap`, and tap.c lists it in `kinds`;
 *      detect.c gets its ALPN names, first bytes, and port;
 *   3. event/eve_message.c gets a function that writes the struct. */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include "core/arena.h"
#include "core/message.h"

/* At a time, for one connection. */
#define TAP_MEMORY ((size_t)1 << 20)

/* How many first bytes of a direction are kept until it is known what they are. */
#define TAP_FIRST_BYTES 64

/* A reader's last words. */
#define TAP_REASON_SIZE 128

struct tap;

struct tap_kind {
    const char *name; /* the protocol, as Suricata calls it and detect.h tells it */
    size_t size;      /* of the state: all-zero when `start` is called */

    /* False if there is no memory: then nothing was begun. May be NULL. */
    bool (*start)(void *state, struct tap *tap);

    /* Reads all of the bytes; `length` is not 0. False if the reader retires: for a reason that it
     * has given to tap_fail(), or silently, when there is nothing more to be understood. */
    bool (*read)(void *state, bool to_server, const uint8_t *bytes, size_t length);

    /* The stream in this direction has ended well. May be NULL. */
    void (*end)(void *state, bool to_server);

    /* The last call, when the connection ends or the reader retires: tells what is unfinished, and
     * frees what it has. May be NULL. */
    void (*fini)(void *state);
};

/* What is wanted of all readers. */
struct tap_options {
    bool keep_credentials; /* else passwords, tokens and cookies are redacted */
    size_t bodies;         /* so many bytes of a body or a message are kept; 0: none */
};

/* Called for whatever is told, from within tap_read(), tap_end() and tap_fini(). */
typedef void (*tap_teller)(void *context, const struct message *message);

struct tap {
    struct tap_options options;
    const struct tap_kind *kind; /* NULL: not chosen yet, or retired */
    void *state;
    struct arena *arena; /* borrowed */
    tap_teller tell;
    void *context;
    uint64_t now;         /* ms, of the call that is under way */
    uint16_t port;        /* of the server */
    bool upgraded;        /* TLS has begun in mid-dialogue, behind the greeting */
    bool over;            /* nothing more is read */
    size_t memory;        /* that tap_alloc() has given */
    uint64_t number;      /* of the next transaction */
    uint64_t untold;      /* of which there was no memory to tell */
    const char *protocol; /* that is spoken, or was last; NULL: not known yet */
    char reason[TAP_REASON_SIZE];
    const struct tap_kind *next; /* takes over, with `next_state`, and reads `rest` bytes */
    void *next_state;
    size_t rest;
    uint8_t first[2][TAP_FIRST_BYTES]; /* to the client, to the server: until it is chosen */
    uint8_t first_length[2];
};

/* ---- for whoever has the connection ---- */

/* `tap` is all-zero. `alpn` is the protocol that was agreed on, or of length 0; `port` the
 * server's. */
void tap_init(struct tap *tap, const struct tap_options *options, struct arena *arena,
              struct text alpn, uint16_t port);

/* TLS has begun in the midst of a dialogue (starttls.h), which goes on. To be said before the first
 * byte; `protocol` lives forever. */
void tap_upgraded(struct tap *tap, const char *protocol);

/* Whom it tells. To be said before the first byte. */
void tap_listen(struct tap *tap, tap_teller tell, void *context);

/* Reads what goes by in one direction, once, in pieces of any size. */
void tap_read(struct tap *tap, bool to_server, const uint8_t *bytes, size_t length, uint64_t now);

/* The stream in one direction has ended well; nothing more comes from there. */
void tap_end(struct tap *tap, bool to_server, uint64_t now);

/* Tells what is unfinished, and gives everything back. Harmless if called again. */
void tap_fini(struct tap *tap, uint64_t now);

/* ---- for readers ---- */

/* Memory, or NULL if there is none, or none left for this connection; zeroed by tap_alloc(). Unlike
 * the arena's it is given back: all of it at the latest in the reader's `fini`. */
void *tap_alloc(struct tap *tap, size_t size) must_check;
void *tap_realloc(struct tap *tap, void *memory, size_t size) must_check;
void tap_free(struct tap *tap, void *memory);

/* Tells a message. The number of the transaction is the reader's to keep: tap_number() counts. */
void tap_tell(struct tap *tap, const struct message *message);
uint64_t tap_number(struct tap *tap);

/* Why the reader retires; `read` then returns false. Returns false itself. */
bool tap_fail(struct tap *tap, const char *format, ...) printf_like(2, 3);

/* From within `read`, which then returns false: another reader takes over, and reads the last
 * `rest` bytes of the call under way. Returns its state, started, to be told more; or NULL, after
 * tap_fail(), if there is no memory. */
void *tap_hand_over(struct tap *tap, const struct tap_kind *kind, size_t rest) must_check;

#endif
