/* SPDX-License-Identifier: MIT */
/* The mistakes of a model as a folder of pictures: see eval_wrong.h. Public headers only.
 *
 * All of it is written into another folder beside the one that was asked for, which takes its name at the
 * end: whoever looks sees all or nothing. */
#include "cli/eval_wrong.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/answers.h"
#include "cli/data_look.h"
#include "cli/find.h"
#include "cli/predict.h"
#include "cli/report.h"
#include "cli/whole_file.h"
#include "report/picture.h"

#define INDEX "index.csv"
static const char begin[] = "file,index,label,name,answer,answer_name,probability,probability_of_label";

/* ---- the folder ---- */

/* LABEL_ANSWER_INDEX.png, as this file names pictures. */
static bool is_picture(const char *name) {
    const char *end = strstr(name, ".png"), *last = strrchr(name, '_');
    size_t underlines = 0;
    for (const char *c = name; *c; c++) {
        underlines += *c == '_';
    }
    return end && !end[4] && underlines == 2 && last + 1 < end &&
           strspn(last + 1, "0123456789") == (size_t)(end - last - 1);
}

/* Call `take` with every name in a folder; false when it says so or the folder cannot be read. */
static bool visit(const char *folder, bool (*take)(const char *folder, const char *name)) {
    DIR *names = opendir(folder);
    bool good = names != NULL;
    const struct dirent *entry;
    errno = 0;
    while (good && (entry = readdir(names)) != NULL) {
        const char *name = entry->d_name;
        good = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || take(folder, name);
    }
    int reason = errno;
    if (names) {
        (void)closedir(names);
    }
    errno = reason;
    return good && reason == 0;
}

static bool is_ours(const char *folder, const char *name) {
    char *path = cli_text("%s/%s", folder, name), *text = NULL;
    bool index = strcmp(name, INDEX) == 0, ours = is_picture(name);
    if (index) {
        text = cli_read_text(path);
        ours = text && strncmp(text, begin, sizeof begin - 1) == 0;
    }
    free(text);
    free(path);
    return ours;
}

static bool remove_one(const char *folder, const char *name) {
    char *path = cli_text("%s/%s", folder, name);
    bool removed = unlink(path) == 0;
    free(path);
    return removed;
}

static bool refuse_any(const char *folder, const char *name) {
    (void)folder;
    (void)name;
    return false;
}

int cli_wrong_check(const char *folder, bool force) {
    if (cli_is_file(folder)) {
        return cli_fail(CLI_WRONG, "--wrong: %s is a file, expected a folder that is not there yet", folder);
    }
    if (!cli_is_folder(folder) || visit(folder, refuse_any)) {
        return CLI_DONE;
    }
    if (!force) {
        return cli_fail(CLI_WRONG, "--wrong: %s is not empty, expected a new folder or --force", folder);
    }
    return visit(folder, is_ours)
               ? CLI_DONE
               : cli_fail(
                     CLI_WRONG,
                     "--wrong: %s holds other files than mistakes, expected a new folder; --force does not "
                     "remove them",
                     folder);
}

/* ---- what goes into it ---- */

/* A sample that the model is wrong about. */
struct mistake {
    size_t index, label, answer;
    double sure, own; /* probability of the answer, and of the label */
};

struct wrong {
    const struct cli_subject *subject;
    const stoa_dataset *data;
    char *folder; /* the one that is written */
    struct mistake *mistake;
    size_t count, room;
    size_t shape[3], size; /* of a sample */
    bool pictures;
    float low, high; /* black and white */
};

static void add_mistake(struct wrong *w, const struct mistake *mistake) {
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        struct mistake *larger = cli_allocate(room, sizeof *larger);
        if (w->count > 0) {
            memcpy(larger, w->mistake, w->count * sizeof *larger);
        }
        free(w->mistake);
        w->mistake = larger;
        w->room = room;
    }
    w->mistake[w->count++] = *mistake;
}

static int judge(struct wrong *w, const struct cli_answers *answers, size_t index, size_t label,
                 const float *output, double *share) {
    size_t answer = 0;
    if (!cli_answers_shares(answers, output, share)) {
        return cli_fail(CLI_FAILED, "%s: the model's output for sample %zu is not finite", w->subject->path,
                        index);
    }
    for (size_t i = 1; i < answers->classes; i++) {
        answer = output[i] > output[answer] ? i : answer;
    }
    if (answer != label) {
        const struct mistake mistake = {index, label, answer, share[answer], share[label]};
        add_mistake(w, &mistake);
    }
    return CLI_DONE;
}

/* All samples through the model. */
static int find_mistakes(struct wrong *w) {
    struct cli_answers answers;
    size_t samples = stoa_dataset_count(w->data);
    int code = cli_answers_open(w->subject, samples, &answers);
    double *share = cli_allocate(answers.classes, sizeof *share);
    int32_t *labels = cli_allocate(answers.batch, sizeof *labels);
    for (size_t first = 0; code == CLI_DONE && first < samples; first += answers.batch) {
        size_t count = samples - first < answers.batch ? samples - first : answers.batch;
        const float *output = NULL;
        stoa_dataset_read(w->data, NULL, first, count, stoa_plan_input(answers.plan), labels);
        stoa_status status = stoa_dataset_check(w->data);
        code = status == STOA_OK ? cli_answers_run(&answers, count, &output)
                                 : cli_fail_library(w->subject->context, status);
        for (size_t i = 0; code == CLI_DONE && output && i < count; i++) {
            code = judge(w, &answers, first + i, (size_t)labels[i], output + i * answers.classes, share);
        }
    }
    free(labels);
    free(share);
    cli_answers_close(&answers);
    return code;
}

/* A name of a class as a part of a file's name: letters, digits, '-' and '.', and what is beyond ASCII. */
static char *file_word(const char *name) {
    enum { MOST = 60 };
    char *word = cli_text("%.*s", MOST, name);
    for (char *c = word; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!letter && *c != '.' && (unsigned char)*c < 0x80) {
            *c = '-';
        }
    }
    return word;
}

static int write_file(const char *folder, const char *name, const char *data, size_t bytes) {
    char *path = cli_text("%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool good = file >= 0 && cli_write_all(file, data, bytes) == 0;
    int reason = errno;
    if (file >= 0 && close(file) != 0 && good) {
        reason = errno;
        good = false;
    }
    int code = good ? CLI_DONE : cli_fail(CLI_FAILED, "%s: cannot write: %s", path, strerror(reason));
    free(path);
    return code;
}

static int write_picture(const struct wrong *w, const char *name, const float *values) {
    size_t pixels = w->shape[0] * w->shape[1], channels = cli_shown_channels(w->shape[2]);
    unsigned char *bytes = cli_allocate(pixels, channels);
    struct report_out png = {0};
    cli_to_bytes(values, pixels, w->shape[2], w->low, w->high, bytes);
    report_png(&png, bytes, w->shape[1], w->shape[0], channels);
    free(bytes);
    if (png.failed) {
        cli_out_of_memory();
    }
    int code = write_file(w->folder, name, png.text, png.length);
    report_out_free(&png);
    return code;
}

/* A line of the index. Rows of values have no picture, and stand in it themselves. */
static void add_line(const struct wrong *w, struct report_out *index, const char *file,
                     const struct mistake *mistake, const float *values) {
    char number[32];
    cli_csv_field(index, file);
    report_print(index, ",%zu,%zu,", mistake->index, mistake->label);
    cli_csv_field(index, cli_class_name(w->data, mistake->label, number));
    report_print(index, ",%zu,", mistake->answer);
    cli_csv_field(index, cli_class_name(w->data, mistake->answer, number));
    report_print(index, ",%.6g,%.6g", mistake->sure, mistake->own);
    for (size_t i = 0; !w->pictures && i < w->size; i++) {
        report_print(index, ",%.9g", (double)values[i]);
    }
    report_put(index, "\n");
}

static void begin_index(const struct wrong *w, struct report_out *index) {
    const char *fact = stoa_model_fact(w->subject->model, "data.columns");
    json_t *names = fact ? cli_json_texts(fact, w->size) : NULL;
    report_put(index, begin);
    for (size_t i = 0; !w->pictures && i < w->size; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        char *number = cli_text("value %zu", i + 1);
        report_put(index, ",");
        cli_csv_field(index, name ? name : number);
        free(number);
    }
    report_put(index, "\n");
    json_decref(names);
}

/* "true_predicted_index.png"; "" for rows of values. From malloc. */
static char *name_of(const struct wrong *w, const struct mistake *mistake) {
    char number[2][32];
    char *label = file_word(cli_class_name(w->data, mistake->label, number[0]));
    char *answer = file_word(cli_class_name(w->data, mistake->answer, number[1]));
    char *name = w->pictures ? cli_text("%s_%s_%zu.png", label, answer, mistake->index) : cli_text("%s", "");
    free(label);
    free(answer);
    return name;
}

/* Into the folder that is written. */
static int write_all(const struct wrong *w) {
    struct report_out index = {0};
    float *values = cli_allocate(w->size, sizeof *values);
    int code = CLI_DONE;
    begin_index(w, &index);
    for (size_t i = 0; code == CLI_DONE && i < w->count; i++) {
        int32_t label;
        char *name = name_of(w, &w->mistake[i]);
        stoa_dataset_read(w->data, NULL, w->mistake[i].index, 1, values, &label);
        code = w->pictures ? write_picture(w, name, values) : CLI_DONE;
        add_line(w, &index, name, &w->mistake[i], values);
        free(name);
    }
    if (index.failed) {
        cli_out_of_memory();
    }
    code = code == CLI_DONE ? write_file(w->folder, INDEX, index.text, index.length) : code;
    report_out_free(&index);
    free(values);
    return code;
}

/* ---- all of it ---- */

static void remove_all(const char *folder) {
    (void)visit(folder, remove_one);
    (void)rmdir(folder);
}

/* Let that folder take the name, in the place of older mistakes. */
static int put_in_place(const struct wrong *w, const char *folder, const char *aside) {
    bool older = cli_is_folder(folder);
    bool good = !older || rename(folder, aside) == 0;
    if (good && rename(w->folder, folder) != 0) {
        int reason = errno;
        if (older) {
            (void)rename(aside, folder);
        }
        errno = reason;
        good = false;
    }
    if (good && older) {
        remove_all(aside);
    }
    return good ? CLI_DONE : cli_fail(CLI_FAILED, "%s: cannot write: %s", folder, strerror(errno));
}

int cli_wrong_write(const struct cli_subject *subject, stoa_dataset *data, const char *folder,
                    size_t *count) {
    struct wrong w = {.subject = subject, .data = data};
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    char *plain = cli_text("%.*s", (int)length, folder);
    char *aside = cli_text("%s.old-%ld", plain, (long)getpid());
    w.folder = cli_text("%s.new-%ld", plain, (long)getpid());
    stoa_dataset_shape(data, &w.shape[0], &w.shape[1], &w.shape[2]);
    w.size = w.shape[0] * w.shape[1] * w.shape[2];
    w.pictures = w.shape[0] > 1 && w.shape[1] > 1;
    int code = find_mistakes(&w);
    stoa_status status = code == CLI_DONE ? stoa_dataset_normalize(data, 0, 1) : STOA_OK;
    if (code == CLI_DONE && status == STOA_OK) {
        status = stoa_dataset_range(data, &w.low, &w.high);
    }
    code = status == STOA_OK ? code : cli_fail_library(subject->context, status);
    if (code == CLI_DONE && mkdir(w.folder, 0777) != 0) {
        code = cli_fail(CLI_FAILED, "%s: cannot make the folder: %s", folder, strerror(errno));
    } else if (code == CLI_DONE) {
        code = write_all(&w);
        code = code == CLI_DONE ? put_in_place(&w, plain, aside) : code;
        if (code != CLI_DONE) {
            remove_all(w.folder);
        }
    }
    *count = w.count;
    free(w.mistake);
    free(w.folder);
    free(aside);
    free(plain);
    return code;
}
