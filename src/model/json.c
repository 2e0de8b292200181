/* SPDX-License-Identifier: MIT */
/* Bounded JSON (RFC 8259) into jansson's values. Read here and not by jansson, whose reader (2.14) passes
 * over a failure to make room for more of a string and then reads and writes on behind what it holds. */
#include "model/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

struct reader {
    struct stoa_error *error;
    const struct stoa_json_limits *limits;
    const char *text;
    size_t bytes, at, parts;
};

static json_t *read_value(struct reader *in, size_t depth);

/* All of these return NULL, for a reader of a value to return. */
static json_t *fail_json(struct reader *in, const char *why) {
    (void)stoa_error_set(in->error, STOA_ERR_FORMAT, "%s is not valid JSON at byte %zu: %s", in->limits->what,
                         in->at, why);
    return NULL;
}

static json_t *fail_memory(struct reader *in) {
    (void)stoa_error_set(in->error, STOA_ERR_MEMORY, "no memory for %s", in->limits->what);
    return NULL;
}

/* The next character that is no space, '\0' at the end; it is not taken. */
static char look(struct reader *in) {
    while (in->at < in->bytes && strchr(" \t\r\n", in->text[in->at]) && in->text[in->at]) {
        in->at++;
    }
    return in->at < in->bytes ? in->text[in->at] : '\0';
}

/* Take the next character if it is this one. */
static bool take(struct reader *in, char c) {
    bool found = look(in) == c && c;
    in->at += found;
    return found;
}

static bool at_end(struct reader *in) {
    (void)look(in);
    return in->at == in->bytes;
}

/* One more part of the text. */
static bool count_part(struct reader *in) {
    if (in->parts++ < in->limits->parts) {
        return true;
    }
    (void)stoa_error_set(in->error, STOA_ERR_FORMAT, "%s: found more than %zu keys and values",
                         in->limits->what, in->limits->parts);
    return false;
}

/* Four hexadecimal digits; -1 where there are none. */
static int32_t read_hex(struct reader *in) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++, in->at++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        char c = in->at < in->bytes ? in->text[in->at] : '\0';
        const char *found = c ? strchr(digits, c) : NULL;
        if (!found) {
            return -1;
        }
        value = value << 4 | (int32_t)((found - digits) & 15);
    }
    return value;
}

/* The character behind "\u", two of them for one beyond 16 bits; -1 for half a pair, for NUL and for no
 * digits. */
static int32_t read_unicode(struct reader *in) {
    int32_t high = read_hex(in);
    if (high < 0xD800 || high > 0xDFFF) {
        return high == 0 ? -1 : high;
    }
    if (high > 0xDBFF || in->bytes - in->at < 2 || in->text[in->at] != '\\' || in->text[in->at + 1] != 'u') {
        return -1;
    }
    in->at += 2;
    int32_t low = read_hex(in);
    return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* UTF-8 of a character; the bytes written. Six bytes of an escape become three at most, twelve four. */
static size_t put_unicode(char *out, int32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = bytes - 1; i > 0; i--, c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3F));
    }
    out[0] = (char)(0xF00 >> bytes | c);
    return bytes;
}

/* What the escape at the reader's place stands for, at `out`; the bytes written, 0 for no escape. */
static size_t read_escape(struct reader *in, char *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = in->at < in->bytes ? in->text[in->at] : '\0';
    const char *found = c ? strchr(from, c) : NULL;
    in->at += c != '\0';
    if (found) {
        *out = to[found - from];
        return 1;
    }
    int32_t character = c == 'u' ? read_unicode(in) : -1;
    return character < 0 ? 0 : put_unicode(out, character);
}

/* Where the string whose first quote was taken ends; `bytes` where it does not. */
static size_t find_quote(const struct reader *in) {
    size_t at = in->at;
    while (at < in->bytes && in->text[at] != '"') {
        at += in->text[at] == '\\' ? 2 : 1;
    }
    return at < in->bytes ? at : in->bytes;
}

/* Decode up to the quote at `end` into `out`, which has room for as much; false for no string of JSON. */
static bool decode(struct reader *in, size_t end, char *out, size_t *used) {
    *used = 0;
    while (in->at < end) {
        char c = in->text[in->at++];
        size_t bytes = 1;
        if (c == '\\') {
            bytes = read_escape(in, out + *used);
        } else {
            out[*used] = c;
        }
        if (bytes == 0 || (unsigned char)c < ' ') {
            return false;
        }
        *used += bytes;
    }
    return in->at == end;
}

static json_t *read_string(struct reader *in) {
    in->at++;
    size_t end = find_quote(in), used = 0;
    if (end == in->bytes) {
        return fail_json(in, "a string without an end");
    }
    char *text = malloc(end - in->at + 1);
    if (!text) {
        return fail_memory(in);
    }
    if (!decode(in, end, text, &used)) {
        free(text);
        return fail_json(in, "no character of a string");
    }
    in->at++;
    json_error_t failure = {.text = ""}; /* the code is kept in it, and a lack of memory sets none */
    json_t *value = json_pack_ex(&failure, 0, "s%", text, used);
    free(text);
    if (!value && json_error_code(&failure) == json_error_invalid_utf8) {
        return fail_json(in, "a string that is not UTF-8");
    }
    return value ? value : fail_memory(in);
}

static size_t skip_digits(struct reader *in) {
    size_t begin = in->at;
    while (in->at < in->bytes && in->text[in->at] >= '0' && in->text[in->at] <= '9') {
        in->at++;
    }
    return in->at - begin;
}

static bool skip_one_of(struct reader *in, const char *characters) {
    bool found = in->at < in->bytes && in->text[in->at] && strchr(characters, in->text[in->at]);
    in->at += found;
    return found;
}

/* The grammar of numbers: whether there is one, and whether it is whole. */
static bool skip_number(struct reader *in, bool *whole) {
    (void)skip_one_of(in, "-");
    *whole = true;
    size_t begin = in->at, digits = skip_digits(in);
    if (digits == 0 || (digits > 1 && in->text[begin] == '0')) {
        return false;
    }
    if (skip_one_of(in, ".")) {
        *whole = false;
        if (skip_digits(in) == 0) {
            return false;
        }
    }
    if (skip_one_of(in, "eE")) {
        *whole = false;
        (void)skip_one_of(in, "+-");
        return skip_digits(in) > 0;
    }
    return true;
}

static json_t *read_number(struct reader *in) {
    size_t begin = in->at;
    bool whole = true;
    if (!skip_number(in, &whole)) {
        return fail_json(in, "no value");
    }
    const char *text = in->text + begin;
    size_t length = in->at - begin;
    json_t *value = NULL;
    if (whole) {
        json_int_t number = 0;
        bool negative = *text == '-';
        for (size_t i = negative; i < length; i++) {
            json_int_t digit = negative ? '0' - text[i] : text[i] - '0';
            if (__builtin_mul_overflow(number, 10, &number) ||
                __builtin_add_overflow(number, digit, &number)) {
                return fail_json(in, "a whole number beyond 64 bits");
            }
        }
        value = json_integer(number);
    } else {
        double number = 0;
        if (!stoa_parse_double(text, length, &number)) {
            return fail_json(in, "a number beyond double precision");
        }
        value = json_real(number);
    }
    return value ? value : fail_memory(in);
}

static json_t *read_word(struct reader *in) {
    static const char *const words[] = {"null", "false", "true"};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if (in->bytes - in->at >= length && memcmp(in->text + in->at, words[i], length) == 0) {
            in->at += length;
            return i == 0 ? json_null() : json_boolean(i == 2);
        }
    }
    return read_number(in);
}

/* "key" and the colon behind it. */
static json_t *read_key(struct reader *in) {
    if (look(in) != '"') {
        return fail_json(in, "no key");
    }
    json_t *key = count_part(in) ? read_string(in) : NULL;
    if (key && !take(in, ':')) {
        json_decref(key);
        return fail_json(in, "no ':' behind a key");
    }
    return key;
}

static bool read_member(struct reader *in, json_t *object, size_t depth) {
    json_t *key = read_key(in);
    const char *name = json_string_value(key);
    if (name && json_object_get(object, name)) {
        (void)fail_json(in, "a key that is there twice");
        json_decref(key);
        return false;
    }
    json_t *value = name ? read_value(in, depth) : NULL;
    bool good = value && json_object_set_new(object, name, value) == 0;
    if (value && !good) {
        (void)fail_memory(in);
    }
    json_decref(key);
    return good;
}

static bool read_element(struct reader *in, json_t *array, size_t depth) {
    json_t *value = read_value(in, depth);
    bool good = value && json_array_append_new(array, value) == 0;
    if (value && !good) {
        (void)fail_memory(in);
    }
    return good;
}

/* An object or an array. */
static json_t *read_group(struct reader *in, size_t depth) {
    bool object = in->text[in->at++] == '{';
    char end = object ? '}' : ']';
    if (depth > in->limits->depth) {
        (void)stoa_error_set(in->error, STOA_ERR_FORMAT, "%s: found brackets nested deeper than %zu",
                             in->limits->what, in->limits->depth);
        return NULL;
    }
    json_t *group = object ? json_object() : json_array();
    if (!group) {
        return fail_memory(in);
    }
    bool good = true;
    for (bool more = !take(in, end); good && more;) {
        good = object ? read_member(in, group, depth) : read_element(in, group, depth);
        more = good && take(in, ',');
        if (good && !more && !take(in, end)) {
            good = false;
            (void)fail_json(in, object ? "no ',' or '}'" : "no ',' or ']'");
        }
    }
    if (!good) {
        json_decref(group);
        return NULL;
    }
    return group;
}

/* The value at the reader's place, inside `depth` brackets. */
static json_t *read_value(struct reader *in, size_t depth) {
    char c = look(in);
    if (!count_part(in)) {
        return NULL;
    }
    if (c == '{' || c == '[') {
        return read_group(in, depth + 1);
    }
    return c == '"' ? read_string(in) : read_word(in);
}

stoa_status stoa_json_parse(struct stoa_error *error, const struct stoa_json_limits *limits, const char *text,
                            size_t bytes, json_t **value) {
    struct reader in = {error, limits, text, bytes, 0, 0};
    json_t *found = read_value(&in, 0);
    if (found && !at_end(&in)) {
        json_decref(found);
        found = fail_json(&in, "more text behind its end");
    }
    *value = found;
    return found ? STOA_OK : error->status;
}

stoa_status stoa_json_key(struct stoa_error *error, struct stoa_json_object *object, json_t **key) {
    const struct stoa_json_limits limits = {object->what, 0, 1};
    struct reader in = {error, &limits, object->text, object->bytes, object->at, 0};
    *key = NULL;
    bool first = !object->begun, end = false;
    if (first && !take(&in, '{')) {
        return stoa_error_set(error, STOA_ERR_FORMAT, "%s is not a JSON object", object->what);
    }
    object->begun = true;
    end = take(&in, '}');
    if (end && !at_end(&in)) {
        (void)fail_json(&in, "more text behind its end");
        return STOA_ERR_FORMAT;
    }
    if (!end && !first && !take(&in, ',')) {
        (void)fail_json(&in, "no ',' or '}'");
        return STOA_ERR_FORMAT;
    }
    *key = end ? NULL : read_key(&in);
    object->at = in.at;
    return end || *key ? STOA_OK : error->status;
}

stoa_status stoa_json_value(struct stoa_error *error, struct stoa_json_object *object,
                            const struct stoa_json_limits *limits, json_t **value) {
    struct reader in = {error, limits, object->text, object->bytes, object->at, 0};
    *value = read_value(&in, 0);
    object->at = in.at;
    return *value ? STOA_OK : error->status;
}
