/* SPDX-License-Identifier: MIT */
/* Lists of columns: a record of comma-separated values. */
#include "data/csv_list.h"

#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

stoa_status stoa_csv_list(stoa_context *context, const char *name, const char *key, const char *text,
                          struct stoa_names *list) {
    struct stoa_csv csv;
    bool more = false;
    if (!text) {
        return STOA_OK;
    }
    stoa_csv_open(&csv, context, name, text, strlen(text));
    csv.separator = ',';
    stoa_status status = stoa_csv_next(&csv, &more);
    bool good = status == STOA_OK && more && csv.at == csv.end;
    for (size_t i = 0; status == STOA_OK && i < csv.fields; i++) {
        good = good && csv.field[i].length > 0;
        status = stoa_names_add(list, stoa_csv_text(&csv.field[i]))
                     ? STOA_OK
                     : stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for a list of columns", name);
    }
    stoa_csv_close(&csv);
    if (status == STOA_ERR_MEMORY || (status == STOA_OK && good)) {
        return status;
    }
    return stoa_fail(context, STOA_ERR_ARGUMENT,
                     "%s: %s: found '%.80s', expected names or numbers of columns with commas between", name,
                     key, text);
}

/* Whether a name reads back as it is without quotes. */
static bool is_plain(const char *name) {
    size_t length = strlen(name);
    return length > 0 && !strpbrk(name, ",\"\r\n") && !strchr(" \t", name[0]) &&
           !strchr(" \t", name[length - 1]) && strncmp(name, "\xEF\xBB\xBF", 3) != 0;
}

char *stoa_csv_list_text(const char *const *names, size_t count) {
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++) {
        bytes += 2 * strlen(names[i]) + sizeof ",\"\"";
    }
    char *text = malloc(bytes), *at = text;
    for (size_t i = 0; text && i < count; i++) {
        bool plain = is_plain(names[i]);
        *at = ',';
        at += i > 0;
        *at = '"';
        at += !plain;
        for (const char *from = names[i]; *from; from++) {
            *at++ = *from;
            *at = '"'; /* doubled */
            at += *from == '"';
        }
        *at = '"';
        at += !plain;
    }
    if (text) {
        *at = '\0';
    }
    return text;
}
