/* SPDX-License-Identifier: MIT */
/* The header of .npy files: a dictionary written as Python would print it, with the keys descr, fortran_order
 * and shape. As much of Python's grammar is read as NumPy writes. */
#include "data/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/number.h"
#include "base/size.h"

/* NumPy itself refuses headers that are longer, unless told otherwise. */
enum { MAX_HEADER = STOA_NPY_MAX_HEAD - 12, WORD = 40 };

/* The order of bytes that this machine has not. */
static const char foreign = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '>' : '<';

/* The dictionary's text. */
struct header {
    stoa_context *context;
    const char *name;
    const char *text; /* the whole file */
    size_t at, end;   /* within it */
    char descr[WORD];
    char order[WORD];
    bool shape_seen;
    struct stoa_npy *npy;
};

static void skip_space(struct header *h) {
    while (h->at < h->end && strchr(" \t\r\n", h->text[h->at]) && h->text[h->at]) {
        h->at++;
    }
}

static stoa_status fail_at(struct header *h, const char *expected) {
    char shown[12] = "";
    skip_space(h);
    for (size_t i = 0; i < sizeof shown - 1 && h->at + i < h->end; i++) {
        shown[i] = h->text[h->at + i];
    }
    return stoa_fail(h->context, STOA_ERR_FORMAT, "%s: header at offset %zu: found '%s', expected %s",
                     h->name, h->at, shown, expected);
}

/* Step over one character if it comes next. */
static bool take(struct header *h, char c) {
    skip_space(h);
    if (h->at < h->end && h->text[h->at] == c) {
        h->at++;
        return true;
    }
    return false;
}

/* The types that are read, in words. */
static stoa_status fail_type(const struct header *h, const char *found) {
    return stoa_fail(
        h->context, STOA_ERR_FORMAT,
        "%s: found %s, expected booleans (b1), whole numbers of 8 to 64 bits (i1 to i8, u1 to u8) or "
        "floats of 16 to 64 bits (f2 to f8)",
        h->name, found);
}

/* A string in either kind of quotes, or a bare word such as False. */
static stoa_status read_word(struct header *h, char word[WORD]) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    skip_space(h);
    char quote = h->at < h->end ? h->text[h->at] : '\0';
    bool quoted = quote == '\'' || quote == '"';
    size_t first = h->at + quoted, last = first;
    while (
        last < h->end && last - first < WORD - 1 && h->text[last] &&
        (quoted ? h->text[last] != quote && h->text[last] != '\\' : strchr(letters, h->text[last]) != NULL)) {
        last++;
    }
    if (last == first || (quoted && (last == h->end || h->text[last] != quote))) {
        return fail_at(h, "a short word");
    }
    memcpy(word, h->text + first, last - first);
    word[last - first] = '\0';
    h->at = last + quoted;
    return STOA_OK;
}

static stoa_status read_size(struct header *h, size_t *size) {
    skip_space(h);
    size_t last = h->at;
    while (last < h->end && h->text[last] >= '0' && h->text[last] <= '9') {
        last++;
    }
    if (!stoa_parse_size(h->text + h->at, last - h->at, size) || *size == 0 || *size > STOA_MAX_DIMENSION) {
        return fail_at(h, "a size from 1 to 1073741824");
    }
    /* Python 2 wrote long numbers so. */
    h->at = last + (last < h->end && h->text[last] == 'L');
    return STOA_OK;
}

static stoa_status read_shape(struct header *h) {
    if (!take(h, '(')) {
        return fail_at(h, "the shape, such as (60000, 28, 28)");
    }
    h->shape_seen = true;
    while (!take(h, ')')) {
        if (h->npy->rank == STOA_NPY_MAX_RANK) {
            return fail_at(h, "the end of the shape after 4 sizes");
        }
        stoa_status status = read_size(h, &h->npy->size[h->npy->rank]);
        if (status != STOA_OK) {
            return status;
        }
        h->npy->rank++;
        if (!take(h, ',')) {
            return take(h, ')') ? STOA_OK : fail_at(h, "',' or ')'");
        }
    }
    return h->npy->rank > 0 ? STOA_OK : fail_at(h, "a shape with at least one size before it");
}

static stoa_status read_entry(struct header *h) {
    char key[WORD];
    stoa_status status = read_word(h, key);
    if (status != STOA_OK) {
        return status;
    }
    if (!take(h, ':')) {
        return fail_at(h, "':'");
    }
    if (strcmp(key, "descr") == 0 && !h->descr[0]) {
        return take(h, '[') ? fail_type(h, "records of several fields") : read_word(h, h->descr);
    }
    if (strcmp(key, "fortran_order") == 0 && !h->order[0]) {
        return read_word(h, h->order);
    }
    if (strcmp(key, "shape") == 0 && !h->shape_seen) {
        return read_shape(h);
    }
    return fail_at(h, "a value of descr, fortran_order and shape, each once");
}

static stoa_status read_dictionary(struct header *h) {
    if (!take(h, '{')) {
        return fail_at(h, "'{'");
    }
    while (!take(h, '}')) {
        stoa_status status = read_entry(h);
        if (status != STOA_OK) {
            return status;
        }
        if (!take(h, ',')) {
            if (!take(h, '}')) {
                return fail_at(h, "',' or '}'");
            }
            break;
        }
    }
    skip_space(h);
    if (h->at < h->end) {
        return fail_at(h, "nothing behind the dictionary");
    }
    return h->descr[0] && h->order[0] && h->shape_seen
               ? STOA_OK
               : fail_at(h, "descr, fortran_order and shape before the end");
}

/* Texts, which may be labels: 'U' in UCS-4, 'S' in bytes, each behind the order of bytes and before the
 * length. */
static bool read_text_type(const struct header *h) {
    struct stoa_npy *npy = h->npy;
    const char kind = h->descr[1], order = h->descr[0];
    size_t length = 0;
    npy->text = kind == 'U' ? 4 : kind == 'S' ? 1 : 0;
    if (npy->text == 0 || !strchr("<>=|", order) ||
        !stoa_parse_size(h->descr + 2, strlen(h->descr + 2), &length) || length == 0 ||
        length > STOA_MAX_DIMENSION / 4) {
        return false;
    }
    npy->value_bytes = npy->text * length;
    npy->swapped = npy->text > 1 && order == foreign;
    return true;
}

static stoa_status choose_text(const struct header *h) {
    static const struct {
        char kind;
        const char *words;
    } kinds[] = {{'O', "pickled objects of Python (dtype object: save numbers, or texts as astype(str))"},
                 {'c', "complex numbers"},
                 {'M', "dates (save numbers)"},
                 {'m', "spans of time (save numbers)"},
                 {'V', "raw bytes or records"}};
    char words[160];
    const char *kind = "";
    if (read_text_type(h)) {
        return STOA_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kind = h->descr[1] == kinds[i].kind ? kinds[i].words : kind;
    }
    (void)snprintf(words, sizeof words, "values of type '%s'%s%s", h->descr, *kind ? ", " : "", kind);
    return fail_type(h, words);
}

static stoa_status choose_type(const struct header *h) {
    static const struct {
        const char *name;
        enum stoa_sample_type type;
    } types[] = {{"u1", STOA_SAMPLE_U8},   {"f4", STOA_SAMPLE_F32}, {"f8", STOA_SAMPLE_F64},
                 {"i4", STOA_SAMPLE_I32},  {"i8", STOA_SAMPLE_I64}, {"f2", STOA_SAMPLE_F16},
                 {"b1", STOA_SAMPLE_BOOL}, {"i1", STOA_SAMPLE_I8},  {"i2", STOA_SAMPLE_I16},
                 {"u2", STOA_SAMPLE_U16},  {"u4", STOA_SAMPLE_U32}, {"u8", STOA_SAMPLE_U64}};
    const char order = h->descr[0];
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bool single = stoa_sample_bytes(types[i].type) == 1;
        if (strcmp(h->descr + 1, types[i].name) == 0 && strchr(single ? "|<>=" : "<>=", order)) {
            h->npy->type = types[i].type;
            h->npy->value_bytes = stoa_sample_bytes(types[i].type);
            h->npy->swapped = !single && order == foreign;
            return STOA_OK;
        }
    }
    return choose_text(h);
}

/* Arrays of one dimension, or of one that is longer than 1, are the same in both orders. */
static stoa_status choose_order(const struct header *h) {
    size_t longer = 0;
    bool fortran = strcmp(h->order, "True") == 0;
    if (!fortran && strcmp(h->order, "False") != 0) {
        return stoa_fail(h->context, STOA_ERR_FORMAT, "%s: found fortran_order %s, expected True or False",
                         h->name, h->order);
    }
    for (size_t i = 0; i < h->npy->rank; i++) {
        longer += h->npy->size[i] > 1;
    }
    h->npy->fortran = fortran && longer > 1;
    return STOA_OK;
}

/* Where header and values lie: the magic number, the version and the length of the header. */
static stoa_status read_preamble(struct header *h, size_t bytes) {
    const uint8_t *at = (const uint8_t *)h->text;
    if (bytes < 10 || memcmp(at, "\x93NUMPY", 6) != 0) {
        return stoa_fail(h->context, STOA_ERR_FORMAT, "%s: not an NPY file: no \\x93NUMPY at its beginning",
                         h->name);
    }
    if (at[6] < 1 || at[6] > 3) {
        return stoa_fail(h->context, STOA_ERR_FORMAT, "%s: NPY version %u, expected 1 to 3", h->name, at[6]);
    }
    size_t prefix = at[6] == 1 ? 10 : 12, length = stoa_load_le16(at + 8);
    if (at[6] > 1 && bytes >= 12) {
        length = stoa_load_le32(at + 8);
    }
    if (length > MAX_HEADER || bytes < prefix + length) {
        return stoa_fail(
            h->context, STOA_ERR_FORMAT,
            "%s: truncated or damaged: a header of %zu bytes announced, %zu follow, at most %d are read",
            h->name, length, bytes - stoa_min(prefix, bytes), MAX_HEADER);
    }
    h->at = prefix;
    h->end = prefix + length;
    h->npy->offset = h->end;
    return STOA_OK;
}

/* The values must be there, all of them and nothing else. */
static stoa_status check_length(const struct header *h, size_t bytes) {
    struct stoa_npy *npy = h->npy;
    size_t wanted = npy->value_bytes;
    bool fits = true;
    npy->values = 1;
    for (size_t i = 0; fits && i < npy->rank; i++) {
        fits = stoa_size_scale(&wanted, npy->size[i]) && stoa_size_scale(&npy->values, npy->size[i]);
    }
    if (!fits || wanted != bytes - npy->offset) {
        return stoa_fail(h->context, STOA_ERR_FORMAT,
                         "%s: %zu bytes of values at offset %zu, expected %s%zu as its shape says", h->name,
                         bytes - npy->offset, npy->offset, fits ? "" : "more than ",
                         fits ? wanted : SIZE_MAX);
    }
    return STOA_OK;
}

stoa_status stoa_npy_read(stoa_context *context, const char *name, const void *data, size_t bytes,
                          struct stoa_npy *npy) {
    struct stoa_npy result = {.rank = 0};
    struct header header = {.context = context, .name = name, .text = data, .npy = &result};
    stoa_status status = read_preamble(&header, bytes);
    if (status == STOA_OK) {
        status = read_dictionary(&header);
    }
    if (status == STOA_OK) {
        status = choose_type(&header);
    }
    if (status == STOA_OK) {
        status = choose_order(&header);
    }
    if (status == STOA_OK) {
        status = check_length(&header, bytes);
    }
    if (status == STOA_OK) {
        *npy = result;
    }
    return status;
}

stoa_status stoa_npy_check_values(stoa_context *context, const char *name, const struct stoa_npy *npy,
                                  const void *values, size_t first, size_t count) {
    if (!stoa_sample_is_float(npy->type)) {
        return STOA_OK;
    }
    enum { PIECE = 1024 };
    float piece[PIECE];
    for (size_t begin = 0; begin < count; begin += PIECE) {
        size_t length = stoa_min(PIECE, count - begin), found = 0;
        stoa_values_read(npy->type, npy->swapped, values, begin, length, piece);
        context->kernels->find_nonfinite(piece, length, &found);
        if (found < length) {
            size_t at = first + begin + found;
            return stoa_fail(
                context, STOA_ERR_FORMAT,
                "%s: value %zu at offset %zu is %g, expected a finite number of single precision", name, at,
                npy->offset + at * stoa_sample_bytes(npy->type),
                stoa_value_number(npy->type, npy->swapped, values, begin + found).value);
        }
    }
    return STOA_OK;
}
