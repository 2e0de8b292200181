/* SPDX-License-Identifier: MIT */
/* Keys by their table. A number that a C program gives is checked by way of its text, the way that a recipe's
 * takes, so that both know the same ranges and say the same sentences. */
#include "core/keys.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/float_state.h"
#include "base/number.h"

const struct stoa_key *stoa_key_find(const struct stoa_keys *keys, const char *name) {
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->key[i].option.name, name) == 0) {
            return &keys->key[i];
        }
    }
    return NULL;
}

/* A text of few words may have a largest length. */
static bool is_too_long(const struct stoa_option *option, const char *text) {
    return option->type == STOA_OPTION_TEXT && option->highest > 0 && (double)strlen(text) > option->highest;
}

/* Store what is no text of a form of its own. */
static stoa_status store(struct stoa_error *error, const struct stoa_option *option, const char *text,
                         void *options) {
    char expected[256];
    if (is_too_long(option, text)) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found %zu bytes of text, expected at most %.0f",
                              option->name, strlen(text), option->highest);
    }
    if (stoa_option_read(option, text, options)) {
        return STOA_OK;
    }
    stoa_option_expectation(option, text, expected, sizeof expected);
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found '%.100s'%s", option->name, text, expected);
}

stoa_status stoa_key_set(struct stoa_error *error, const struct stoa_keys *keys, const struct stoa_key *key,
                         const char *text, void *options) {
    _Alignas(16) unsigned char parsed[STOA_PARSED_MOST];
    assert(keys->parsed_bytes <= sizeof parsed);
    stoa_status status = STOA_OK;
    if (key->read) {
        memset(parsed, 0, keys->parsed_bytes);
        status = key->read(error, text, parsed);
    }
    return status == STOA_OK ? store(error, &key->option, text, options) : status;
}

static const char *name_at(const void *from, size_t index) {
    const struct stoa_keys *keys = from;
    return index < keys->count ? keys->key[index].option.name : NULL;
}

struct stoa_words stoa_keys_words(const struct stoa_keys *keys) {
    return (struct stoa_words){name_at, keys};
}

void stoa_keys_begin(const struct stoa_keys *keys, void *options) {
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->key[i].always) {
            bool good = stoa_option_read(&keys->key[i].option, keys->key[i].option.fallback, options);
            assert(good);
            (void)good;
        }
    }
}

/* NULL for zero. */
static const char *member_text(const struct stoa_key *key, const void *options, char number[STOA_KEY_TEXT]) {
    const struct stoa_option *option = &key->option;
    const void *member = (const char *)options + option->offset;
    const char *text = NULL;
    size_t size = 0;
    uint64_t seed = 0;
    float value = 0;
    int word = 0;
    bool yes = false;
    switch (option->type) {
    case STOA_OPTION_SIZE:
    case STOA_OPTION_BYTES:
        memcpy(&size, member, sizeof size);
        (void)snprintf(number, STOA_KEY_TEXT, "%zu", size);
        return size ? number : NULL;
    case STOA_OPTION_SEED:
        memcpy(&seed, member, sizeof seed);
        (void)snprintf(number, STOA_KEY_TEXT, "%llu", (unsigned long long)seed);
        return seed ? number : NULL;
    case STOA_OPTION_FLOAT:
        memcpy(&value, member, sizeof value);
        stoa_format_float(value, number);
        return value != 0 ? number : NULL; /* what is no number is none of these */
    case STOA_OPTION_BOOL:
        memcpy(&yes, member, sizeof yes);
        return yes ? "true" : NULL;
    case STOA_OPTION_WORD:
        memcpy(&word, member, sizeof word);
        for (int i = 0; option->choices[i]; i++) {
            if (i == word) {
                return i ? option->choices[i] : NULL;
            }
        }
        (void)snprintf(number, STOA_KEY_TEXT, "%d", word);
        return number;
    case STOA_OPTION_TEXT:
        memcpy(&text, member, sizeof text);
        return text;
    default:
        assert(!"a type that no key has");
        return NULL;
    }
}

const char *stoa_key_text(const struct stoa_key *key, const void *options, char number[STOA_KEY_TEXT]) {
    STOA_FLOAT_STATE();
    const char *text = member_text(key, options, number);
    return !text && key->always ? "0" : text;
}

stoa_status stoa_keys_complete(struct stoa_error *error, const struct stoa_keys *keys, void *options,
                               void *parsed) {
    STOA_FLOAT_STATE(); /* numbers go through their texts and must come back as they were */
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < keys->count; i++) {
        const struct stoa_key *key = &keys->key[i];
        char number[STOA_KEY_TEXT];
        const char *text = member_text(key, options, number);
        if (!text && key->option.fallback[0]) {
            text = key->option.fallback;
        }
        if (text && key->read) {
            status = key->read(error, text, parsed);
        }
        if (text && status == STOA_OK) {
            status = store(error, &key->option, text, options);
        }
    }
    return status;
}

void stoa_keys_forget_texts(const struct stoa_keys *keys, void *options) {
    static const char *const none = NULL;
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->key[i].option.type == STOA_OPTION_TEXT) {
            memcpy((char *)options + keys->key[i].option.offset, &none, sizeof none);
        }
    }
}

const char *stoa_key_default(const struct stoa_key *key) {
    const struct stoa_option *option = &key->option;
    if (option->fallback[0]) {
        return option->fallback;
    }
    switch (option->type) {
    case STOA_OPTION_SIZE:
    case STOA_OPTION_SEED:
    case STOA_OPTION_FLOAT:
        return "0";
    case STOA_OPTION_BOOL:
        return "false";
    case STOA_OPTION_WORD:
        return option->choices[0];
    default:
        return "";
    }
}

void stoa_key_expected(const struct stoa_key *key, char *out, size_t size) {
    if (key->option.type == STOA_OPTION_TEXT && key->option.highest > 0) {
        (void)snprintf(out, size, "at most %.0f bytes of text", key->option.highest);
    } else {
        stoa_option_expected(&key->option, out, size);
    }
}
