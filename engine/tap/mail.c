/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tap/mail.h"

struct text mail_path(struct text argument)
{
    const char *colon = argument.length > 0 ? memchr(argument.at, ':', argument.length) : NULL;
    if (colon == NULL)
        return text_from(argument.at, 0);
    const char *end = argument.at + argument.length, *start = colon + 1, *at;
    bool quoted = false;
    while (start < end && *start == ' ')
        start++;
    bool in_brackets = start < end && *start == '<';
    for (at = start; at < end; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (*at == '\\' && quoted && at + 1 < end)
            at++;
        else if (!quoted && in_brackets && *at == '>')
            return text_from(start, (size_t)(at - start) + 1);
        else if (!quoted && !in_brackets && *at == ' ')
            break;
    }
    return text_from(start, (size_t)(at - start));
}

void mail_greet(struct mail *mail, struct text name)
{
    mail_clear(mail);
    size_t length = name.length < sizeof(mail->helo) ? name.length : sizeof(mail->helo);
    if (length > 0)
        memcpy(mail->helo, name.at, length);
    mail->said.helo = text_from(mail->helo, length);
}

/* False if there is no room: half an address is none. */
static bool keep(struct mail *mail, struct text *kept, struct text path)
{
    if (path.length > sizeof(mail->text) - mail->length) {
        mail->said.cut = true;
        return false;
    }
    if (path.length > 0)
        memcpy(mail->text + mail->length, path.at, path.length);
    *kept = text_from(mail->text + mail->length, path.length);
    mail->length += path.length;
    return true;
}

void mail_begin(struct mail *mail, struct text path)
{
    mail_clear(mail);
    (void)keep(mail, &mail->said.from, path);
}

void mail_add(struct mail *mail, struct text path)
{
    size_t *count = &mail->said.recipient_count;
    mail->said.recipients = mail->recipients;
    if (*count == MAIL_RECIPIENTS)
        mail->said.cut = true;
    else if (keep(mail, &mail->recipients[*count], path))
        ++*count;
}

void mail_refuse(struct mail *mail)
{
    size_t *count = &mail->said.recipient_count;
    if (mail->said.cut || *count == 0) /* it may not be the one that was kept last */
        return;
    --*count;
    mail->length -= mail->recipients[*count].length;
}

void mail_clear(struct mail *mail)
{
    mail->said = (struct spoken_mail){.helo = mail->said.helo};
    mail->length = 0;
}
