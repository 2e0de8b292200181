/* SPDX-License-Identifier: MIT */
/* Labels as text. Whole numbers below the number of classes are the classes' numbers; other labels are names,
 * and their sorted order makes the classes, so that the order of the lines does not matter. */
#include "data/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "data/dataset.h"

void stoa_labels_open(struct stoa_labels *labels, stoa_context *context, const char *name,
                      const stoa_data_options *options) {
    *labels = (struct stoa_labels){.context = context, .name = name, .options = options, .numbers = true};
}

void stoa_labels_close(struct stoa_labels *labels) {
    stoa_texts_clear(&labels->texts);
}

static stoa_status fail_memory(const struct stoa_labels *labels) {
    return stoa_fail(labels->context, STOA_ERR_MEMORY, "%s: no memory for labels", labels->name);
}

/* A whole number from 0, also as NumPy and pandas write it among floats: "2.0", "2.000e+00". */
static bool read_number(const char *text, size_t length, size_t *number) {
    double value = 0;
    if (stoa_parse_size(text, length, number)) {
        return true;
    }
    bool whole =
        stoa_parse_double(text, length, &value) && value >= 0 && value < 0x1p31 && trunc(value) == value;
    *number = whole ? (size_t)value : 0;
    return whole;
}

static stoa_status check_known(const struct stoa_labels *labels, const char *text, size_t line) {
    const stoa_data_options *options = labels->options;
    for (size_t i = 0; i < options->name_count; i++) {
        if (strcmp(options->names[i], text) == 0) {
            return STOA_OK;
        }
    }
    return stoa_fail(labels->context, STOA_ERR_FORMAT,
                     "%s:%zu: found the label '%.40s', expected one of %zu classes such as '%.40s'",
                     labels->name, line, text, options->name_count, options->names[0]);
}

stoa_status stoa_labels_add(struct stoa_labels *labels, const struct stoa_csv_field *field, size_t line) {
    const stoa_data_options *options = labels->options;
    size_t number, most = options->classes ? options->classes : STOA_MOST_FOUND_CLASSES;
    char *text = stoa_csv_text(field);
    if (!text) {
        return fail_memory(labels);
    }
    stoa_status status = options->names ? check_known(labels, text, line) : STOA_OK;
    bool found;
    size_t at = stoa_texts_find(&labels->texts, text, &found);
    if (status == STOA_OK && !found && labels->texts.count == most) {
        status =
            stoa_fail(labels->context, STOA_ERR_FORMAT,
                      "%s:%zu: found the label '%.40s', a new one after %zu others, expected %s%zu classes",
                      labels->name, line, text, most, options->classes ? "" : "at most ", most);
    } else if (status == STOA_OK && field->length == 0) {
        status =
            stoa_fail(labels->context, STOA_ERR_FORMAT, "%s:%zu: the label is empty", labels->name, line);
    }
    labels->numbers = labels->numbers && read_number(text, strlen(text), &number);
    if (status != STOA_OK || found) {
        free(text);
        return status;
    }
    return stoa_texts_insert(&labels->texts, at, text) ? STOA_OK : fail_memory(labels);
}

static int by_number(const void *a, const void *b) {
    const struct stoa_text *left = a, *right = b;
    size_t x = 0, y = 0;
    (void)read_number(left->text, strlen(left->text), &x);
    (void)read_number(right->text, strlen(right->text), &y);
    if (x != y) {
        return x < y ? -1 : 1;
    }
    return strcmp(left->text, right->text); /* "1", "01" and "1.0" */
}

/* Number the classes in the sorted order of their names. */
static stoa_status number_names(struct stoa_labels *labels, char ***names) {
    struct stoa_texts *texts = &labels->texts;
    struct stoa_text *order = calloc(texts->count, sizeof *order);
    const char **text = calloc(texts->count, sizeof *text);
    if (order && text) {
        for (size_t i = 0; i < texts->count; i++) {
            order[i] = (struct stoa_text){texts->text[i].text, i}; /* where it stands, until it is sorted */
        }
        if (labels->numbers) {
            qsort(order, texts->count, sizeof *order, by_number);
        }
        for (size_t i = 0; i < texts->count; i++) {
            texts->text[order[i].number].number = i;
            text[i] = order[i].text;
        }
        *names = stoa_copy_names(text, texts->count);
    }
    bool good = order && text && *names;
    free(order);
    free(text);
    return good ? STOA_OK : fail_memory(labels);
}

/* The names were given: each label has its place among them. */
static stoa_status use_names(struct stoa_labels *labels, char ***names) {
    const stoa_data_options *options = labels->options;
    for (size_t i = 0; i < labels->texts.count; i++) {
        struct stoa_text *label = &labels->texts.text[i];
        while (strcmp(options->names[label->number], label->text) != 0) {
            label->number++;
        }
    }
    *names = stoa_copy_names(options->names, options->name_count);
    return *names ? STOA_OK : fail_memory(labels);
}

/* Whether whole numbers are the numbers of classes: each is below the number of classes. */
static bool are_class_numbers(const struct stoa_labels *labels, size_t *classes) {
    size_t largest = 0;
    for (size_t i = 0; i < labels->texts.count; i++) {
        size_t number = 0;
        const char *text = labels->texts.text[i].text;
        if (!read_number(text, strlen(text), &number)) {
            return false;
        }
        largest = number > largest ? number : largest;
    }
    size_t given = labels->options->classes;
    *classes = given ? given : largest + 1;
    return largest < (given ? given : STOA_MOST_FOUND_CLASSES);
}

stoa_status stoa_labels_settle(struct stoa_labels *labels, size_t *classes, char ***names) {
    const stoa_data_options *options = labels->options;
    *names = NULL;
    if (options->names) {
        *classes = options->name_count;
        return use_names(labels, names);
    }
    labels->as_numbers = are_class_numbers(labels, classes);
    if (labels->as_numbers) {
        return STOA_OK;
    }
    size_t count = labels->texts.count;
    if (options->classes > count) {
        return stoa_fail(labels->context, STOA_ERR_FORMAT,
                         "%s: holds %zu different labels, among them '%.40s', expected %zu classes",
                         labels->name, count, labels->texts.text[count - 1].text, options->classes);
    }
    *classes = count;
    return number_names(labels, names);
}

stoa_status stoa_labels_find(const struct stoa_labels *labels, const struct stoa_csv_field *field,
                             int32_t *class_number) {
    size_t number = 0;
    if (labels->as_numbers) {
        /* Quotes do not stand within numbers. */
        (void)read_number(field->text, field->length, &number);
    } else {
        bool found;
        char *text = stoa_csv_text(field);
        if (!text) {
            return fail_memory(labels);
        }
        number = labels->texts.text[stoa_texts_find(&labels->texts, text, &found)].number;
        free(text);
    }
    *class_number = (int32_t)number;
    return STOA_OK;
}

/* ---- labels that are numbers ---- */

void stoa_label_range_add(struct stoa_label_range *range, size_t sample, int64_t label) {
    if (range->count == 0 || label < range->least) {
        range->least = label;
        range->least_at = sample;
    }
    if (range->count == 0 || label > range->most) {
        range->most = label;
        range->most_at = sample;
    }
    range->count++;
}

stoa_status stoa_label_range_settle(const struct stoa_label_range *range, stoa_context *context,
                                    const char *name, size_t *classes) {
    int64_t end = *classes ? (int64_t)*classes : STOA_MOST_FOUND_CLASSES;
    bool below = range->least < 0;
    char hint[120] = "";
    if (!below && range->most < end) {
        *classes = *classes ? *classes : (size_t)range->most + 1;
        return STOA_OK;
    }
    /* A usual mistake, worth a word: as many classes as expected, but counted from 1. */
    if (range->least == 1 && range->most == end && *classes) {
        (void)snprintf(hint, sizeof hint, ": labels run from 1 to %lld, so subtract 1, or say classes = %lld",
                       (long long)end, (long long)end + 1);
    }
    return stoa_fail(context, STOA_ERR_FORMAT, "%s: label %zu is %lld, expected 0 to %lld%s", name,
                     below ? range->least_at : range->most_at,
                     (long long)(below ? range->least : range->most), (long long)end - 1, hint);
}
