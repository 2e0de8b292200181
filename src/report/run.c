/* SPDX-License-Identifier: MIT */
/* Reading a run's lines of JSON.
 *
 * A line that the run is still writing is passed over; any other that is no object with the epoch's numbers
 * is an error of its file and line. An epoch that comes again takes the place of itself and of those behind
 * it: a run that was continued repeats them. */
#include "report/run.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const report_metric_key[REPORT_METRICS] = {
    [REPORT_EPOCH] = "epoch",
    [REPORT_TRAIN_LOSS] = "train_loss",
    [REPORT_TRAIN_ACCURACY] = "train_accuracy",
    [REPORT_VALIDATION_LOSS] = "validation_loss",
    [REPORT_VALIDATION_ACCURACY] = "validation_accuracy",
    [REPORT_TEST_LOSS] = "test_loss",
    [REPORT_TEST_ACCURACY] = "test_accuracy",
    [REPORT_VALIDATION_RMSE] = "validation_rmse",
    [REPORT_VALIDATION_MAE] = "validation_mae",
    [REPORT_VALIDATION_R2] = "validation_r2",
    [REPORT_VALIDATION_F1] = "validation_f1",
    [REPORT_VALIDATION_MACRO_F1] = "validation_macro_f1",
    [REPORT_VALIDATION_AVERAGE_PRECISION] = "validation_average_precision",
    [REPORT_TEST_RMSE] = "test_rmse",
    [REPORT_TEST_MAE] = "test_mae",
    [REPORT_TEST_R2] = "test_r2",
    [REPORT_TEST_F1] = "test_f1",
    [REPORT_TEST_MACRO_F1] = "test_macro_f1",
    [REPORT_TEST_AVERAGE_PRECISION] = "test_average_precision",
    [REPORT_LEARNING_RATE] = "lr",
    [REPORT_SECONDS] = "seconds",
    [REPORT_IMAGES_PER_SECOND] = "images_per_second",
    [REPORT_THREADS] = "threads",
    [REPORT_TIME] = "time",
};

/* A million epochs have lines of a few hundred bytes. */
static const size_t MOST_BYTES = (size_t)1 << 30;
static const double MOST_EPOCH = 1e9;

/* A file in reading; the sentence of its first error. */
struct reader {
    struct report_run *run;
    char *path;
    size_t line, room;
    char *sentence;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->sentence, reader->size, format, arguments);
    va_end(arguments);
    return false;
}

static bool no_memory(const struct reader *reader) {
    reader->run->no_memory = true;
    return fail(reader, "%s: out of memory", reader->run->path);
}

static bool fail_line(const struct reader *reader, const char *found, const char *expected) {
    return fail(reader, "%s:%zu: found %s, expected %s", reader->path, reader->line, found, expected);
}

/* Read `size` bytes or to the end of the file: how many, or -1 with errno. */
static ssize_t read_bytes(int file, char *text, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t some = read(file, text + got, size - got);
        if (some == 0) {
            break;
        }
        if (some < 0 && errno != EINTR) {
            return -1;
        }
        got += some > 0 ? (size_t)some : 0;
    }
    return (ssize_t)got;
}

/* All of a regular file; NULL with errno. */
static char *read_file(const char *path, size_t *bytes) {
    struct stat about;
    if (stat(path, &about) != 0) {
        return NULL;
    }
    if (!S_ISREG(about.st_mode) || (uintmax_t)about.st_size > MOST_BYTES) {
        errno = S_ISREG(about.st_mode) ? EFBIG : S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
        return NULL;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = file < 0 ? NULL : malloc((size_t)about.st_size + 1);
    ssize_t got = text ? read_bytes(file, text, (size_t)about.st_size) : -1;
    int reason = errno;
    if (file >= 0) {
        (void)close(file);
    }
    if (got < 0) {
        free(text);
        errno = reason;
        return NULL;
    }
    *bytes = (size_t)got;
    text[*bytes] = '\0';
    return text;
}

/* Room for one more epoch. */
static bool grow(struct reader *reader) {
    struct report_run *run = reader->run;
    if (run->epochs < reader->room) {
        return true;
    }
    size_t room = reader->room ? 2 * reader->room : 64;
    for (size_t i = 0; i < REPORT_METRICS; i++) {
        double *larger = realloc(run->value[i], room * sizeof *larger);
        if (!larger) {
            return no_memory(reader);
        }
        run->value[i] = larger;
    }
    reader->room = room;
    return true;
}

/* The place of an epoch among those that there are, or their number. */
static size_t find_epoch(const struct report_run *run, double epoch) {
    size_t low = 0, high = run->epochs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->value[REPORT_EPOCH][middle] < epoch) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool read_number(const struct reader *reader, const json_t *line, const char *key, double *value) {
    const json_t *found = json_object_get(line, key);
    *value = NAN;
    if (json_is_number(found)) {
        *value = json_number_value(found);
    } else if (found && !json_is_null(found)) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "a number or null for '%s'", key);
        return fail_line(reader, json_is_string(found) ? "a text" : "neither", expected);
    }
    return true;
}

static bool read_epoch(const struct reader *reader, const json_t *line, double *epoch) {
    if (!json_is_object(line)) {
        return fail_line(reader, "no object of JSON", "a line of a run's metrics");
    }
    if (!read_number(reader, line, report_metric_key[REPORT_EPOCH], epoch)) {
        return false;
    }
    bool counts = *epoch >= 1 && *epoch <= MOST_EPOCH && floor(*epoch) >= *epoch;
    return counts || fail_line(reader, "no whole number above 0 for 'epoch'", "a line of a run's metrics");
}

/* A line of metrics becomes an epoch. */
static bool add_epoch(struct reader *reader, const json_t *line) {
    struct report_run *run = reader->run;
    double epoch = NAN, value;
    if (!read_epoch(reader, line, &epoch)) {
        return false;
    }
    run->epochs = run->epochs ? find_epoch(run, epoch) : 0;
    run->best = run->best > run->epochs ? 0 : run->best;
    if (!grow(reader)) {
        return false;
    }
    for (size_t i = 0; i < REPORT_METRICS; i++) {
        if (!read_number(reader, line, report_metric_key[i], &value)) {
            return false;
        }
        run->value[i][run->epochs] = value;
    }
    run->epochs++;
    run->best = json_is_true(json_object_get(line, "best")) ? run->epochs : run->best;
    return true;
}

/* A line of times, to the epoch that there is. */
static bool add_times(struct reader *reader, const json_t *line) {
    static const enum report_metric times[] = {REPORT_SECONDS, REPORT_IMAGES_PER_SECOND, REPORT_THREADS,
                                               REPORT_TIME};
    const struct report_run *run = reader->run;
    double epoch = NAN, value;
    if (!read_epoch(reader, line, &epoch)) {
        return false;
    }
    size_t at = find_epoch(run, epoch);
    bool known = at < run->epochs && run->value[REPORT_EPOCH][at] <= epoch;
    for (size_t i = 0; known && i < sizeof times / sizeof *times; i++) {
        if (read_number(reader, line, report_metric_key[times[i]], &value) && isfinite(value)) {
            run->value[times[i]][at] = value;
        }
    }
    return true;
}

/* Every whole line of `bytes` bytes; `lenient` passes over those that are none. True, or false with the
 * sentence. */
static bool read_lines(struct reader *reader, const char *text, size_t bytes, bool lenient,
                       bool (*take)(struct reader *reader, const json_t *line)) {
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t length = end ? (size_t)(end - (text + at)) : bytes - at;
        reader->line++;
        json_error_t place;
        json_t *line = json_loadb(text + at, length, 0, &place);
        bool empty = strspn(text + at, " \t\r") >= length;
        if (!line && !end) {
            reader->run->cut = reader->run->cut || !lenient;
        } else if (!line && !empty && !lenient) {
            return fail_line(reader, "no object of JSON", "a line of a run's metrics");
        } else if (line && !take(reader, line) && !lenient) {
            json_decref(line);
            return false;
        }
        json_decref(line);
        at += length + 1;
    }
    return true;
}

/* The file of the run's folder; NULL with errno. */
static char *open_file(struct reader *reader, const char *name, size_t *bytes) {
    free(reader->path);
    reader->line = 0;
    if (asprintf(&reader->path, "%s/%s", reader->run->path, name) < 0) {
        reader->path = NULL;
        errno = ENOMEM;
        return NULL;
    }
    return read_file(reader->path, bytes);
}

static bool read_metrics(struct reader *reader) {
    size_t bytes = 0;
    char *text = open_file(reader, "metrics.jsonl", &bytes);
    if (!text && (errno == ENOENT || errno == ENOTDIR)) {
        return fail(reader, "%s: has no metrics.jsonl, expected the folder of a run", reader->run->path);
    }
    if (!text) {
        return errno == ENOMEM ? no_memory(reader)
                               : fail(reader, "%s: cannot read: %s", reader->path, strerror(errno));
    }
    bool good = read_lines(reader, text, bytes, false, add_epoch);
    free(text);
    return good;
}

static void read_times(struct reader *reader) {
    size_t bytes = 0;
    char *text = open_file(reader, "timing.jsonl", &bytes);
    if (text) {
        (void)read_lines(reader, text, bytes, true, add_times);
    }
    free(text);
}

char *report_run_name(const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    return begin < end ? strndup(path + begin, end - begin) : strdup(path);
}

bool report_run_read(const char *folder, struct report_run *run, char *sentence, size_t size) {
    *run = (struct report_run){.path = strdup(folder), .name = report_run_name(folder)};
    struct reader reader = {.run = run, .sentence = sentence, .size = size};
    run->no_memory = !run->path || !run->name;
    bool good = run->no_memory ? fail(&reader, "%s: out of memory", folder) : read_metrics(&reader);
    if (good) {
        char ignored[8];
        reader.sentence = ignored;
        reader.size = sizeof ignored;
        read_times(&reader);
    } else {
        bool no_memory_left = run->no_memory;
        report_run_free(run);
        run->no_memory = no_memory_left;
    }
    free(reader.path);
    return good;
}

void report_run_free(struct report_run *run) {
    for (size_t i = 0; i < REPORT_METRICS; i++) {
        free(run->value[i]);
    }
    free(run->path);
    free(run->name);
    *run = (struct report_run){0};
}

bool report_run_has(const struct report_run *run, enum report_metric metric) {
    return report_run_lowest(run, metric) != SIZE_MAX;
}

double report_run_last(const struct report_run *run, enum report_metric metric) {
    for (size_t i = run->epochs; i-- > 0;) {
        if (isfinite(run->value[metric][i])) {
            return run->value[metric][i];
        }
    }
    return NAN;
}

/* The place of the most of `sign` times the value. */
static size_t find_most(const struct report_run *run, enum report_metric metric, double sign) {
    size_t place = SIZE_MAX;
    for (size_t i = 0; i < run->epochs; i++) {
        const double *value = run->value[metric];
        if (isfinite(value[i]) && (place == SIZE_MAX || sign * value[i] > sign * value[place])) {
            place = i;
        }
    }
    return place;
}

size_t report_run_lowest(const struct report_run *run, enum report_metric metric) {
    return find_most(run, metric, -1);
}

size_t report_run_highest(const struct report_run *run, enum report_metric metric) {
    return find_most(run, metric, 1);
}

double report_run_sum(const struct report_run *run, enum report_metric metric) {
    double sum = 0;
    for (size_t i = 0; i < run->epochs; i++) {
        sum += isfinite(run->value[metric][i]) ? run->value[metric][i] : 0;
    }
    return report_run_has(run, metric) ? sum : NAN;
}
