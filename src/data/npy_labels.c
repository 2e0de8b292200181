/* SPDX-License-Identifier: MIT */
/* Labels out of NumPy's arrays: whole numbers of any type, also written as floats, one-hot rows, or texts. */
#include "data/npy_labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "data/labels.h"
#include "data/npy_targets.h"

/* Where labels come from. */
struct source {
    const char *name;
    const struct stoa_npy *npy;
    const void *values;
};

static struct stoa_number number_at(const struct source *source, size_t at) {
    return stoa_value_number(source->npy->type, source->npy->swapped, source->values, at);
}

static bool is_one_hot(const struct stoa_npy *npy) {
    return npy->rank == 2 && npy->size[1] > 1;
}

static stoa_status check_counts(const struct stoa_store *store, const struct source *source,
                                const char *samples) {
    const struct stoa_npy *npy = source->npy;
    if (npy->values != npy->size[0] && !is_one_hot(npy)) {
        return stoa_fail(
            store->context, STOA_ERR_FORMAT,
            "%s: %zu values for %zu labels, expected one a label, or a row for each that is 1 at "
            "its class and 0 elsewhere",
            source->name, npy->values, npy->size[0]);
    }
    if (npy->size[0] != store->count) {
        return stoa_fail(store->context, STOA_ERR_FORMAT,
                         "%s: holds %zu labels, expected %zu: %s has as many samples", source->name,
                         npy->size[0], store->count, samples);
    }
    if (is_one_hot(npy) && store->classes > 0 && npy->size[1] != store->classes) {
        return stoa_fail(store->context, STOA_ERR_FORMAT,
                         "%s: rows of %zu values, expected %zu, one for each class", source->name,
                         npy->size[1], store->classes);
    }
    return STOA_OK;
}

/* The class of a row, which must be 1 there and 0 elsewhere. */
static stoa_status read_row(const struct stoa_store *store, const struct source *source, size_t row,
                            int32_t *label) {
    size_t length = source->npy->size[1], ones = 0;
    for (size_t i = 0; i < length; i++) {
        struct stoa_number number = number_at(source, row * length + i);
        if (!number.is_whole || number.whole < 0 || number.whole > 1) {
            return stoa_fail(
                store->context, STOA_ERR_FORMAT,
                "%s: label %zu has %g at column %zu, expected a row that is 1 at its class and 0 "
                "elsewhere, or one number a label",
                source->name, row, number.value, i);
        }
        ones += number.whole == 1;
        *label = number.whole == 1 ? (int32_t)i : *label;
    }
    return ones == 1 ? STOA_OK
                     : stoa_fail(store->context, STOA_ERR_FORMAT,
                                 "%s: label %zu is a row with %zu ones, expected one at its class; task = "
                                 "multilabel in [data] takes any number",
                                 source->name, row, ones);
}

static stoa_status take_rows(struct stoa_store *store, const struct source *source) {
    int32_t *out = store->labels_memory.data;
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < store->count; i++) {
        status = read_row(store, source, i, &out[i]);
    }
    store->classes = source->npy->size[1];
    return status;
}

static stoa_status take_numbers(struct stoa_store *store, const struct source *source) {
    int32_t *out = store->labels_memory.data;
    struct stoa_label_range range = {0};
    for (size_t i = 0; i < store->count; i++) {
        struct stoa_number number = number_at(source, i);
        if (!number.is_whole) {
            return stoa_fail(store->context, STOA_ERR_FORMAT,
                             "%s: label %zu is %g, expected the number of a class, from 0; task = regression "
                             "in [data] takes numbers",
                             source->name, i, number.value);
        }
        stoa_label_range_add(&range, i, number.whole);
    }
    stoa_status status = stoa_label_range_settle(&range, store->context, source->name, &store->classes);
    for (size_t i = 0; status == STOA_OK && i < store->count; i++) {
        out[i] = (int32_t)number_at(source, i).whole;
    }
    return status;
}

/* ---- texts ---- */

static uint32_t letter_at(const struct source *source, const uint8_t *text, size_t at) {
    uint32_t letter = 0;
    if (source->npy->text == 1) {
        return text[at];
    }
    memcpy(&letter, text + 4 * at, sizeof letter);
    return source->npy->swapped ? __builtin_bswap32(letter) : letter;
}

/* UTF-8 of a letter; bytes stay as they are, what is no letter becomes U+FFFD. */
static size_t put_letter(uint32_t letter, bool byte, char *out) {
    if (byte || letter < 0x80) {
        out[0] = (char)letter;
        return 1;
    }
    if (letter > 0x10FFFF || (letter >= 0xD800 && letter < 0xE000)) {
        letter = 0xFFFD;
    }
    const size_t more = letter < 0x800 ? 1 : letter < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(first[more] | letter >> (6 * more));
    for (size_t i = 1; i <= more; i++) {
        out[i] = (char)(0x80 | (letter >> (6 * (more - i)) & 0x3F));
    }
    return more + 1;
}

/* Text `at` without the zeros at its end, into `out`, which has room for four bytes a letter. */
static struct stoa_csv_field text_at(const struct source *source, size_t at, char *out) {
    const struct stoa_npy *npy = source->npy;
    const uint8_t *text = (const uint8_t *)source->values + at * npy->value_bytes;
    size_t letters = npy->value_bytes / npy->text, length = 0;
    while (letters > 0 && letter_at(source, text, letters - 1) == 0) {
        letters--;
    }
    for (size_t i = 0; i < letters; i++) {
        length += put_letter(letter_at(source, text, i), npy->text == 1, out + length);
    }
    return (struct stoa_csv_field){.text = out, .length = length};
}

static stoa_status read_texts(struct stoa_store *store, const struct source *source,
                              struct stoa_labels *labels, char *text) {
    int32_t *out = store->labels_memory.data;
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < store->count; i++) {
        const struct stoa_csv_field field = text_at(source, i, text);
        status = stoa_labels_add(labels, &field, i);
    }
    if (status == STOA_OK) {
        status = stoa_labels_settle(labels, &store->classes, &store->names);
    }
    for (size_t i = 0; status == STOA_OK && i < store->count; i++) {
        const struct stoa_csv_field field = text_at(source, i, text);
        status = stoa_labels_find(labels, &field, &out[i]);
    }
    return status;
}

static stoa_status take_texts(struct stoa_store *store, const struct source *source,
                              const stoa_data_options *options) {
    struct stoa_labels labels;
    char *text = malloc(4 * source->npy->value_bytes / source->npy->text + 1);
    if (!text) {
        return stoa_fail(store->context, STOA_ERR_MEMORY, "%s: no memory for a label", source->name);
    }
    stoa_labels_open(&labels, store->context, source->name, options);
    stoa_status status = read_texts(store, source, &labels, text);
    stoa_labels_close(&labels);
    free(text);
    return status;
}

stoa_status stoa_npy_take_labels(struct stoa_store *store, const char *name, const struct stoa_npy *npy,
                                 const void *values, const char *samples, const stoa_data_options *options) {
    const struct source source = {name, npy, values};
    const stoa_task task = stoa_task_of(options);
    if (task != STOA_TASK_CLASSES) {
        return npy->text == 0 ? stoa_npy_take_targets(store, name, npy, values, samples, task)
                              : stoa_fail(store->context, STOA_ERR_FORMAT,
                                          "%s: found texts, expected numbers as targets", name);
    }
    stoa_status status = check_counts(store, &source, samples);
    if (status != STOA_OK) {
        return status;
    }
    if (npy->text > 0) {
        return npy->values == npy->size[0] ? take_texts(store, &source, options)
                                           : stoa_fail(store->context, STOA_ERR_FORMAT,
                                                       "%s: %zu texts for %zu labels, expected one a label",
                                                       name, npy->values, npy->size[0]);
    }
    return is_one_hot(npy) ? take_rows(store, &source) : take_numbers(store, &source);
}
