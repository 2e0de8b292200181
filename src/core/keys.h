/* SPDX-License-Identifier: MIT */
/* Keys: what a section of a recipe can say, a row a key. The row holds name, type, range, default, the member
 * of an option struct, and what it means; reading a key, checking a struct that was filled in C, and the text
 * of a member all follow from it. */
#ifndef STOA_CORE_KEYS_H
#define STOA_CORE_KEYS_H

#include "base/nearest.h"
#include "core/options.h"

struct stoa_key {
    struct stoa_option option; /* `fallback`: the default as text, "" for none */
    const char *meaning;       /* a few words */
    /* Reads a text that has a form of its own, into the struct of what has been read; its sentence names the
     * key. NULL: there is none. */
    stoa_status (*read)(struct stoa_error *error, const char *text, void *parsed);
    bool always; /* what is written down of an option struct says it where it is the default, too */
};

/* All keys of a section. */
struct stoa_keys {
    const struct stoa_key *key;
    size_t count;
    size_t parsed_bytes; /* of what `read` fills, at most STOA_PARSED_MOST */
};
enum { STOA_PARSED_MOST = 4096 };

/* Longest text of a member that is no text itself. */
enum { STOA_KEY_TEXT = 32 };

/* The key of that name, or NULL. */
const struct stoa_key *stoa_key_find(const struct stoa_keys *keys, const char *name);

/* Their names. */
struct stoa_words stoa_keys_words(const struct stoa_keys *keys);

/* Fill in the defaults of keys that are always said; the other members stay zero. */
void stoa_keys_begin(const struct stoa_keys *keys, void *options);

/* Check `text` and put it into the member of `options`. A member that is text borrows it. Errors:
 * STOA_ERR_ARGUMENT and those of `read`; the sentence names key, value and what was expected, and the member
 * is as it was. */
stoa_status stoa_key_set(struct stoa_error *error, const struct stoa_keys *keys, const struct stoa_key *key,
                         const char *text, void *options);

/* A member of `options` as text: itself, or written to `number`. NULL where it is zero and not always
 * said. */
const char *stoa_key_text(const struct stoa_key *key, const void *options, char number[STOA_KEY_TEXT]);

/* Check an option struct that a C program filled: zeros become the defaults, numbers are in their ranges, and
 * texts are read into `parsed`. Errors as of stoa_key_set(). */
stoa_status stoa_keys_complete(struct stoa_error *error, const struct stoa_keys *keys, void *options,
                               void *parsed);

/* Make members that are texts NULL, for a struct that outlives them. */
void stoa_keys_forget_texts(const struct stoa_keys *keys, void *options);

/* The default as text, "" where there is none: a number, a word, false. */
const char *stoa_key_default(const struct stoa_key *key);

/* What a value of `key` must be, in words; cut where `size` is too small. */
void stoa_key_expected(const struct stoa_key *key, char *out, size_t size);

#endif
