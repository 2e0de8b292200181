/* SPDX-License-Identifier: MIT */
/* Tuning tables as text: read, written, and the sum by which two of the same name are told apart. */
#include "core/tuning_text.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/float_state.h"
#include "base/number.h"
#include "base/size.h"

#define KEY(type, key, least, most, meaning)                                                                 \
    {#key,  meaning, offsetof(struct stoa_tuning, key), _Generic((type)0, size_t : false, double : true),    \
     least, most},
const struct stoa_tuning_key stoa_tuning_keys[] = {STOA_TUNING_KEYS(KEY)};
#undef KEY
enum { KEYS = sizeof stoa_tuning_keys / sizeof stoa_tuning_keys[0] };
_Static_assert((int)KEYS <= (int)STOA_TUNING_MOST_KEYS, "a reader has room for every key");

size_t stoa_tuning_key_count(void) {
    return KEYS;
}

const struct stoa_tuning_key *stoa_tuning_key_find(const char *name) {
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(stoa_tuning_keys[i].name, name) == 0) {
            return &stoa_tuning_keys[i];
        }
    }
    return NULL;
}

double stoa_tuning_get(const struct stoa_tuning *tuning, const struct stoa_tuning_key *key) {
    const char *member = (const char *)tuning + key->offset;
    double real;
    size_t size;
    if (key->real) {
        memcpy(&real, member, sizeof real);
        return real;
    }
    memcpy(&size, member, sizeof size);
    return (double)size;
}

void stoa_tuning_put(struct stoa_tuning *tuning, const struct stoa_tuning_key *key, double value) {
    char *member = (char *)tuning + key->offset;
    if (key->real) {
        memcpy(member, &value, sizeof value);
    } else {
        memcpy(member, &(size_t){(size_t)(value + 0.5)}, sizeof(size_t));
    }
}

/* A value as it stands in a file. */
static void value_text(const struct stoa_tuning *tuning, const struct stoa_tuning_key *key, char out[32]) {
    double value = stoa_tuning_get(tuning, key);
    if (key->real) {
        stoa_format_double(value, out);
    } else {
        (void)snprintf(out, 32, "%.0f", value);
    }
}

/* FNV-1a over the keys and values as they are written. */
void stoa_tuning_finish(struct stoa_tuning *tuning) {
    STOA_FLOAT_STATE();
    uint32_t sum = 2166136261U;
    for (size_t i = 0; i < KEYS; i++) {
        char value[32], line[96];
        value_text(tuning, &stoa_tuning_keys[i], value);
        (void)snprintf(line, sizeof line, "%s=%s\n", stoa_tuning_keys[i].name, value);
        for (const char *at = line; *at; at++) {
            sum = (sum ^ (unsigned char)*at) * 16777619U;
        }
    }
    (void)snprintf(tuning->sum, sizeof tuning->sum, "%08x", (unsigned)sum);
}

size_t stoa_tuning_write(const struct stoa_tuning *tuning, char *out, size_t size) {
    STOA_FLOAT_STATE();
    size_t used = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        char value[32];
        value_text(tuning, key, value);
        size_t left = used < size ? size - used : 0;
        used += (size_t)snprintf(left ? out + used : NULL, left, "# %s\n%s = %s\n", key->meaning, key->name,
                                 value);
    }
    return used;
}

/* The last part of the path without its ending: as much as a name holds. */
void stoa_tuning_rename(struct stoa_tuning *tuning, const char *path) {
    static const char ending[] = ".tuning";
    const char *last = strrchr(path, '/');
    const char *begin = last ? last + 1 : path;
    size_t length = strlen(begin);
    if (length > sizeof ending - 1 && strcmp(begin + length - (sizeof ending - 1), ending) == 0) {
        length -= sizeof ending - 1;
    }
    length = stoa_min(length, STOA_TUNING_NAME - 1);
    for (size_t i = 0; i < length; i++) {
        tuning->name[i] = isprint((unsigned char)begin[i]) ? begin[i] : '?';
    }
    tuning->name[length] = '\0';
}

void stoa_tuning_reader_begin(struct stoa_tuning_reader *reader, struct stoa_error *error, const char *file,
                              const struct stoa_tuning *(*find)(const char *name)) {
    memset(reader, 0, sizeof *reader);
    reader->error = error;
    reader->file = file;
    reader->find = find;
    stoa_tuning_rename(&reader->tuning, file);
}

/* "FILE:LINE: " goes before the sentence. */
#define FAIL(reader, ...)                                                                                    \
    (stoa_error_set((reader)->error, STOA_ERR_FORMAT, __VA_ARGS__),                                          \
     stoa_error_prefix((reader)->error, "%s:%zu: ", (reader)->file, (reader)->line))

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static void trim(const char **text, size_t *length) {
    while (*length > 0 && is_space((*text)[0])) {
        ++*text;
        --*length;
    }
    while (*length > 0 && is_space((*text)[*length - 1])) {
        --*length;
    }
}

static stoa_status read_like(struct stoa_tuning_reader *reader, const char *name) {
    if (reader->like > 0) {
        return FAIL(reader, "like: found a second one, the first stands in line %zu", reader->like);
    }
    const struct stoa_tuning *found = reader->find(name);
    if (!found) {
        return FAIL(reader, "like: found '%s', expected the name of a table that ships", name);
    }
    reader->like = reader->line;
    reader->inherited = *found;
    return STOA_OK;
}

static stoa_status read_value(struct stoa_tuning_reader *reader, const struct stoa_tuning_key *key,
                              const char *text) {
    double value = 0;
    size_t whole = 0, length = strlen(text);
    bool good = key->real ? stoa_parse_double(text, length, &value) : stoa_parse_size(text, length, &whole);
    value = key->real ? value : (double)whole;
    if (!good || !(value >= key->least && value <= key->most)) {
        return FAIL(reader, "%s: found '%s', expected a %s from %.10g to %.10g", key->name, text,
                    key->real ? "number" : "whole number", key->least, key->most);
    }
    stoa_tuning_put(&reader->tuning, key, value);
    return STOA_OK;
}

static stoa_status read_key(struct stoa_tuning_reader *reader, const char *name, const char *value) {
    if (strcmp(name, "like") == 0) {
        return read_like(reader, value);
    }
    const struct stoa_tuning_key *key = stoa_tuning_key_find(name);
    if (!key) {
        return FAIL(reader, "found the key '%s', expected one of those in generic-base.tuning, or 'like'",
                    name);
    }
    size_t *said = &reader->said[key - stoa_tuning_keys];
    if (*said > 0) {
        return FAIL(reader, "%s: found a second one, the first stands in line %zu", name, *said);
    }
    *said = reader->line;
    return read_value(reader, key, value);
}

stoa_status stoa_tuning_reader_line(struct stoa_tuning_reader *reader, const char *text, size_t length) {
    char line[STOA_TUNING_LINE + 1];
    reader->line++;
    if (length > STOA_TUNING_LINE) {
        return FAIL(reader, "found a line of %zu bytes, expected at most %d", length, STOA_TUNING_LINE);
    }
    for (size_t i = 0; i < length; i++) {
        bool plain = isprint((unsigned char)text[i]) || is_space(text[i]);
        if (!plain) {
            return FAIL(reader, "found the byte %u, expected ASCII text", (unsigned)(unsigned char)text[i]);
        }
    }
    const char *comment = memchr(text, '#', length);
    length = comment ? (size_t)(comment - text) : length;
    trim(&text, &length);
    if (length == 0) {
        return STOA_OK;
    }
    memcpy(line, text, length);
    line[length] = '\0';
    char *equals = strchr(line, '=');
    if (!equals) {
        return FAIL(reader, "found '%s', expected 'key = value'", line);
    }
    *equals = '\0';
    const char *name = line, *value = equals + 1;
    size_t name_length = strlen(name), value_length = strlen(value);
    trim(&name, &name_length);
    trim(&value, &value_length);
    line[(size_t)(name - line) + name_length] = '\0';
    line[(size_t)(value - line) + value_length] = '\0';
    return read_key(reader, name, value);
}

stoa_status stoa_tuning_reader_end(struct stoa_tuning_reader *reader, struct stoa_tuning *tuning) {
    reader->line = stoa_max(reader->line, 1); /* an empty file ends in its first line */
    for (size_t i = 0; i < KEYS; i++) {
        const struct stoa_tuning_key *key = &stoa_tuning_keys[i];
        if (reader->said[i] == 0 && reader->like == 0) {
            return FAIL(reader, "the file ends without the key '%s', expected it or 'like = NAME'",
                        key->name);
        }
        if (reader->said[i] == 0) {
            stoa_tuning_put(&reader->tuning, key, stoa_tuning_get(&reader->inherited, key));
        }
    }
    stoa_tuning_finish(&reader->tuning);
    *tuning = reader->tuning;
    return STOA_OK;
}

stoa_status stoa_tuning_read(struct stoa_error *error, const char *file, const char *text, size_t bytes,
                             struct stoa_tuning *tuning) {
    STOA_FLOAT_STATE();
    struct stoa_tuning_reader reader;
    if (bytes > STOA_TUNING_BYTES) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "%s: found %zu bytes, expected at most %d", file, bytes,
                              STOA_TUNING_BYTES);
    }
    stoa_tuning_reader_begin(&reader, error, file, stoa_tuning_find);
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - text) - at : bytes - at;
        stoa_status status = stoa_tuning_reader_line(&reader, text + at, length);
        if (status != STOA_OK) {
            return status;
        }
        at += length + 1;
    }
    return stoa_tuning_reader_end(&reader, tuning);
}

stoa_status stoa_tuning_read_file(struct stoa_error *error, const char *path, struct stoa_tuning *tuning) {
    void *text;
    size_t bytes;
    stoa_status status = stoa_file_read(error, path, STOA_TUNING_BYTES, &text, &bytes);
    if (status == STOA_OK) {
        status = stoa_tuning_read(error, path, text, bytes, tuning);
        free(text);
    }
    return status;
}
