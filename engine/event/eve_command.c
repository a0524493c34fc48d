/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/eve_command.h"

static struct text unless_empty(struct text text)
{
    return text.length > 0 ? text : (struct text){0};
}

/* ---- Suricata's ---- */

void eve_command_write_smtp(struct jsonw *json, const struct spoken_command *command)
{
    const struct spoken_mail *mail = command->mail;
    if (mail->helo.length == 0 && mail->from.length == 0 && mail->recipient_count == 0)
        return;
    jsonw_object(json, "smtp");
    jsonw_text_value(json, "helo", unless_empty(mail->helo));
    jsonw_text_value(json, "mail_from", unless_empty(mail->from));
    if (mail->recipient_count > 0) {
        jsonw_array(json, "rcpt_to");
        for (size_t i = 0; i < mail->recipient_count; i++)
            jsonw_text_value(json, NULL, mail->recipients[i]);
        jsonw_array_end(json);
    }
    jsonw_object_end(json);
}

/* Words, each in its own string. */
static void write_words(struct jsonw *json, const char *key, struct text text)
{
    jsonw_array(json, key);
    while (text.length > 0) {
        const char *end = memchr(text.at, ' ', text.length);
        size_t length = end != NULL ? (size_t)(end - text.at) : text.length;
        if (length > 0)
            jsonw_bytes(json, NULL, text.at, length);
        length += end != NULL ? 1 : 0;
        text = text_from(text.at + length, text.length - length);
    }
    jsonw_array_end(json);
}

void eve_command_write_pop3(struct jsonw *json, const struct spoken_command *command)
{
    jsonw_object(json, "pop3");
    if (command->verb.length > 0) {
        jsonw_object(json, "request");
        jsonw_text_value(json, "command", command->verb);
        write_words(json, "args", command->argument);
        jsonw_object_end(json);
    }
    if (command->status != NULL) {
        jsonw_object(json, "response");
        jsonw_bool(json, "success", strcmp(command->status, "OK") == 0);
        jsonw_string(json, "status", command->status);
        if (command->reply_count > 0)
            jsonw_text_value(json, "header", command->replies[0].text);
        jsonw_object_end(json);
    }
    jsonw_object_end(json);
}

static void write_reply(struct jsonw *json, const struct spoken_command *command)
{
    if (command->reply_count == 0)
        return;
    jsonw_array(json, "reply");
    for (size_t i = 0; i < command->reply_count; i++)
        jsonw_text_value(json, NULL, command->replies[i].text);
    jsonw_array_end(json);
}

/* Once for each reply, however many lines it has; none, if no line has one. */
static void write_codes(struct jsonw *json, const struct spoken_command *command)
{
    char text[12];
    unsigned last = 0;
    for (size_t i = 0; i < command->reply_count; i++) {
        unsigned code = command->replies[i].code;
        if (code == 0 || code == last)
            continue;
        if (last == 0)
            jsonw_array(json, "completion_code");
        snprintf(text, sizeof(text), "%u", code);
        jsonw_string(json, NULL, text);
        last = code;
    }
    if (last != 0)
        jsonw_array_end(json);
}

void eve_command_write_ftp(struct jsonw *json, const struct spoken_command *command)
{
    jsonw_object(json, "ftp");
    jsonw_text_value(json, "command", unless_empty(command->verb));
    jsonw_text_value(json, "command_data", unless_empty(command->argument));
    write_reply(json, command);
    if (command->reply_count > 0)
        write_codes(json, command);
    if (command->port != 0) {
        jsonw_uint(json, "dynamic_port", command->port);
        jsonw_string(json, "mode", command->is_active ? "active" : "passive");
    }
    jsonw_string(json, "reply_received", command->reply_count > 0 ? "yes" : "no");
    jsonw_object_end(json);
}

/* ---- ours ---- */

static void write_asked(struct jsonw *json, const struct spoken_command *command)
{
    jsonw_text_value(json, "tag", unless_empty(command->tag));
    jsonw_text_value(json, "command", unless_empty(command->verb));
    jsonw_text_value(json, "args", unless_empty(command->argument));
}

static void write_replied(struct jsonw *json, const struct spoken_command *command)
{
    unsigned code = 0;
    for (size_t i = 0; i < command->reply_count; i++)
        code = command->replies[i].code != 0 ? command->replies[i].code : code;
    if (code != 0)
        jsonw_uint(json, "code", code);
    jsonw_string(json, "status", command->status);
    write_reply(json, command);
}

static void write_counts(struct jsonw *json, const struct spoken_command *command)
{
    if (command->untagged > 0)
        jsonw_uint(json, "untagged", command->untagged);
    if (command->sent > 0)
        jsonw_uint(json, "data_toserver", command->sent);
    if (command->received > 0)
        jsonw_uint(json, "data_toclient", command->received);
}

void eve_command_write_extras(struct jsonw *json, const struct message *message)
{
    const struct spoken_command *command = message->command;
    jsonw_object(json, message->protocol);
    if (message->kind == MESSAGE_SMTP || message->kind == MESSAGE_IMAP) {
        write_asked(json, command);
        write_replied(json, command);
    }
    write_counts(json, command);
    jsonw_bool(json, "complete", command->answered);
    if (command->answered && command->start != 0)
        jsonw_uint(json, "wait_ms", command->end - command->start);
    if (command->cut || (command->mail != NULL && command->mail->cut))
        jsonw_bool(json, "cut", true);
    jsonw_object_end(json);
}
