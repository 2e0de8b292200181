/* SPDX-License-Identifier: MIT */
/* What stands for missing fields of a table: found in the samples of one data set, as a rule those that are
 * learned from, and put into all that share its store. */
#include <math.h>
#include <stdlib.h>

#include "base/float_state.h"
#include "base/size.h"
#include "data/dataset.h"
#include "data/table.h"

/* One column on its way. */
struct filling {
    const stoa_dataset *dataset;
    float *values; /* of the whole store, (count, size) */
    size_t size;
    float *known; /* room for a number a sample: those that are not missing */
    size_t count;
};

static float *sample_of(const struct filling *f, size_t number) {
    return f->values + (f->dataset->select ? f->dataset->select[number] : number) * f->size;
}

static int by_size(const void *a, const void *b) {
    const float *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* Category numbers, or the values themselves, in order. */
static void collect(struct filling *f, const struct stoa_table_column *column) {
    f->count = 0;
    for (size_t i = 0; i < f->dataset->count; i++) {
        const float *values = sample_of(f, i) + column->first;
        if (isnan(values[0])) {
            continue;
        }
        size_t place = 0;
        while (column->kind == STOA_COLUMN_CATEGORY && place < column->values && values[place] < 1) {
            place++;
        }
        if (column->kind != STOA_COLUMN_CATEGORY) {
            f->known[f->count++] = values[0];
        } else if (place < column->values) {
            f->known[f->count++] = (float)place;
        }
    }
    qsort(f->known, f->count, sizeof *f->known, by_size);
}

static float mean_of(const struct filling *f) {
    double sum = 0;
    for (size_t i = 0; i < f->count; i++) {
        sum += (double)f->known[i];
    }
    return (float)(sum / (double)f->count);
}

static float median_of(const struct filling *f) {
    size_t half = f->count / 2;
    return f->count % 2 ? f->known[half] : (float)(((double)f->known[half - 1] + (double)f->known[half]) / 2);
}

/* The smallest of the most frequent ones, as they are in order. */
static float most_frequent_of(const struct filling *f) {
    size_t most = 0;
    float best = f->known[0];
    for (size_t i = 0, run = 0; i < f->count; i++) {
        run = i > 0 && f->known[i] <= f->known[i - 1] ? run + 1 : 1;
        best = run > most ? f->known[i] : best;
        most = stoa_max(most, run);
    }
    return best;
}

static stoa_status find_fill(struct filling *f, struct stoa_table_column *column, size_t number,
                             const char *name, stoa_missing missing) {
    collect(f, column);
    if (f->count == 0) {
        return stoa_fail(
            f->dataset->context, STOA_ERR_FORMAT,
            "%s: input column %zu, '%.40s', has no value to fill it with in %zu samples, expected one "
            "at least; ignore in [data] leaves it out",
            name, number + 1, column->name ? column->name : "", f->dataset->count);
    }
    bool category = column->kind == STOA_COLUMN_CATEGORY;
    column->fill = category || missing == STOA_MISSING_MOST_FREQUENT ? most_frequent_of(f)
                   : missing == STOA_MISSING_MEAN                    ? mean_of(f)
                                                                     : median_of(f);
    return STOA_OK;
}

void stoa_table_put_fill(const struct stoa_table_column *column, float *values) {
    bool category = column->kind == STOA_COLUMN_CATEGORY;
    for (size_t v = 0; v < column->values; v++) {
        values[v] = 0;
    }
    values[category ? (size_t)column->fill : 0] = category ? 1 : column->fill;
}

bool stoa_fills_missing(const stoa_data_options *options) {
    return options->missing != STOA_MISSING_REFUSE && options->missing != STOA_MISSING_DROP;
}

/* In all samples of the store, whoever looks at them. */
static void fill_column(const struct filling *f, const struct stoa_table_column *column) {
    for (size_t i = 0; i < f->dataset->store->count; i++) {
        float *values = f->values + i * f->size + column->first;
        if (isnan(values[0])) {
            stoa_table_put_fill(column, values);
        }
    }
}

stoa_status stoa_table_fill(const stoa_dataset *dataset, const char *name, const stoa_data_options *options) {
    STOA_FLOAT_STATE();
    struct stoa_table *table = dataset->store->table;
    if (!table || !stoa_fills_missing(options)) {
        return STOA_OK;
    }
    struct filling f = {
        .dataset = dataset, .values = dataset->store->samples_memory.data, .size = table->values};
    f.known = calloc(stoa_max(1, dataset->count), sizeof *f.known);
    stoa_status status = f.known ? STOA_OK
                                 : stoa_fail(dataset->context, STOA_ERR_MEMORY,
                                             "%s: no memory for %zu missing values", name, dataset->count);
    for (size_t i = 0; f.known && status == STOA_OK && i < table->count; i++) {
        struct stoa_table_column *column = &table->column[i];
        if (isnan(column->fill)) {
            status = find_fill(&f, column, i, name, options->missing);
        }
        if (status == STOA_OK) {
            fill_column(&f, column);
        }
    }
    free(f.known);
    return status;
}
