/* SPDX-License-Identifier: MIT */
/* What the operands of `stoa predict` name: files, sets, folders of pictures, the standard input. Public
 * headers only. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/data.h"
#include "cli/find.h"
#include "cli/predict.h"
#include "cli/report.h"
#include "cli/whole_file.h"

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length > tail && strcasecmp(text + length - tail, end) == 0;
}

static bool ends_with_any(const char *text, const char *const *ends) {
    while (*ends && !ends_with(text, *ends)) {
        ends++;
    }
    return *ends != NULL;
}

/* Takes over name and data. */
static void add(struct cli_sources *sources, char *name, stoa_dataset *data) {
    if (sources->count == sources->room) {
        size_t room = sources->room ? 2 * sources->room : 16;
        struct cli_source *larger = cli_allocate(room, sizeof *larger);
        if (sources->count > 0) {
            memcpy(larger, sources->source, sources->count * sizeof *larger);
        }
        free(sources->source);
        sources->source = larger;
        sources->room = room;
    }
    sources->source[sources->count++] = (struct cli_source){
        name, data, stoa_dataset_count(data), strcmp(stoa_dataset_format(data), "pictures") != 0};
    sources->samples += stoa_dataset_count(data);
}

static int open_one(const struct cli_subject *subject, const char *path, struct cli_sources *sources) {
    stoa_dataset *data = NULL;
    stoa_status status = stoa_model_open_samples(subject->context, subject->model, path, &data);
    if (status != STOA_OK) {
        return cli_fail_reading(subject, status);
    }
    add(sources, cli_text("%s", path), data);
    return CLI_DONE;
}

/* ---- folders of pictures ---- */

static int is_shown(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int by_version(const struct dirent **a, const struct dirent **b) {
    return strverscmp((*a)->d_name, (*b)->d_name);
}

/* The names in a folder, in their order; how many. */
static int list(const char *folder, struct dirent ***names) {
    int count = scandir(folder, names, is_shown, by_version);
    if (count < 0 && errno == ENOMEM) {
        cli_out_of_memory();
    }
    return count < 0 ? cli_fail(0, "%s: cannot be read: %s", folder, strerror(errno)) : count;
}

/* Whether a name in the list, in small or large letters, is one of the words. */
static const char *find_name(struct dirent *const *names, int count, const char *const *words) {
    for (; *words; words++) {
        for (int i = 0; i < count; i++) {
            if (strcasecmp(names[i]->d_name, *words) == 0) {
                return names[i]->d_name;
            }
        }
    }
    return NULL;
}

struct paths {
    char **path;
    size_t count, room;
};

static void add_path(struct paths *paths, char *path) {
    if (paths->count == paths->room) {
        size_t room = paths->room ? 2 * paths->room : 64;
        char **larger = cli_allocate(room, sizeof *larger);
        if (paths->count > 0) {
            memcpy(larger, paths->path, paths->count * sizeof *larger);
        }
        free(paths->path);
        paths->path = larger;
        paths->room = room;
    }
    paths->path[paths->count++] = path;
}

static void clear_paths(struct paths *paths) {
    while (paths->count > 0) {
        free(paths->path[--paths->count]);
    }
}

/* Pictures in a folder and in folders within it, so many floors down; of a set in parts those to test with.
 * False where there are data of another kind, which are a set. */
static bool find_pictures(const char *folder, size_t floors, struct paths *paths) {
    static const char *const pictures[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", NULL};
    static const char *const others[] = {".csv", ".tsv", ".npz", ".npy", "-ubyte", "-ubyte.gz", ".bin", NULL};
    static const char *const trains[] = {"train", "training", NULL};
    static const char *const tests[] = {"test", "testing", "val", "valid", "validation", "dev", NULL};
    struct dirent **names = NULL;
    int count = list(folder, &names);
    const char *test = find_name(names, count, trains) ? find_name(names, count, tests) : NULL;
    bool good = true;
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        char *path = cli_text("%s%s%s", folder, ends_with(folder, "/") ? "" : "/", name);
        bool inside = cli_is_folder(path), taken = !test || name == test;
        good = good && (inside || !ends_with_any(name, others));
        if (inside && floors > 0 && taken) {
            good = find_pictures(path, floors - 1, paths) && good;
        }
        if (!inside && ends_with_any(name, pictures)) {
            add_path(paths, path);
        } else {
            free(path);
        }
    }
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return good;
}

/* IDX files of a folder that holds no labels, whose samples are all of them; none where it is another set. */
static void find_unlabelled(const char *folder, struct paths *paths) {
    static const char *const ends[] = {"-ubyte", "-ubyte.gz", ".idx", ".idx.gz", NULL};
    struct dirent **names = NULL;
    int count = list(folder, &names);
    bool labelled = false;
    for (int i = 0; i < count; i++) {
        labelled = labelled || strstr(names[i]->d_name, "label");
        if (ends_with_any(names[i]->d_name, ends)) {
            char *path = cli_text("%s%s%s", folder, ends_with(folder, "/") ? "" : "/", names[i]->d_name);
            size_t last = paths->count - 1, length = paths->count > 0 ? strlen(paths->path[last]) : 0;
            bool again = length > 0 && strncmp(path, paths->path[last], length) == 0 &&
                         strcmp(path + length, ".gz") == 0; /* the same, packed */
            if (again) {
                free(path);
            } else {
                add_path(paths, path);
            }
        }
        free(names[i]);
    }
    free(names);
    if (labelled) {
        clear_paths(paths);
    }
}

static int open_folder(const struct cli_subject *subject, const char *folder, struct cli_sources *sources) {
    enum { FLOORS = 2 }; /* parts, and classes in them */
    struct paths paths = {.count = 0};
    bool pictures = find_pictures(folder, FLOORS, &paths);
    if (!pictures || paths.count == 0) {
        clear_paths(&paths);
        find_unlabelled(folder, &paths);
    }
    int code = paths.count > 0 ? CLI_DONE : open_one(subject, folder, sources);
    for (size_t i = 0; code == CLI_DONE && i < paths.count; i++) {
        code = open_one(subject, paths.path[i], sources);
    }
    clear_paths(&paths);
    free(paths.path);
    return code;
}

/* ---- the standard input ---- */

/* What a file of this content is called: readers tell kinds by the ending. A table begins with anything. */
static const char *ending_of(const unsigned char *data, size_t bytes) {
    static const struct {
        const char *begin;
        size_t length;
        const char *end;
    } kinds[] = {{"\x89PNG", 4, ".png"}, {"\xFF\xD8\xFF", 3, ".jpg"}, {"\x93NUMPY", 6, ".npy"},
                 {"PK\3\4", 4, ".npz"},  {"\0\0", 2, ".idx"},         {"\x1F\x8B", 2, ".gz"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (bytes >= kinds[i].length && memcmp(data, kinds[i].begin, kinds[i].length) == 0) {
            return kinds[i].end;
        }
    }
    return ".csv";
}

static unsigned char *read_input(size_t *bytes) {
    size_t room = 1 << 16, used = 0;
    unsigned char *data = cli_allocate(room, 1);
    for (size_t got; (got = fread(data + used, 1, room - used, stdin)) > 0;) {
        used += got;
        if (used == room) {
            unsigned char *larger = cli_allocate(2 * room, 1);
            memcpy(larger, data, used);
            free(data);
            data = larger;
            room *= 2;
        }
    }
    *bytes = used;
    return data;
}

/* The library's sentence with the name of the standard input in the place of the file's. */
static int fail_input(const struct cli_subject *subject, stoa_status status, const char *path) {
    const char *sentence = stoa_context_error(subject->context), *at = strstr(sentence, path);
    return at ? cli_fail(cli_code_of(status), "%.*s-%s", (int)(at - sentence), sentence, at + strlen(path))
              : cli_fail_library(subject->context, status);
}

/* Readers take files, so the input becomes one for a moment. */
static int open_input(struct cli_subject *subject, struct cli_sources *sources) {
    const char *place = getenv("TMPDIR");
    size_t bytes;
    unsigned char *data = read_input(&bytes);
    char *folder = cli_text("%s/stoa-XXXXXX", place && *place ? place : "/tmp");
    if (ferror(stdin) || bytes == 0) {
        free(data);
        free(folder);
        return ferror(stdin) ? cli_fail(CLI_FAILED, "-: cannot read: %s", strerror(errno))
                             : cli_fail(CLI_WRONG, "-: is empty, expected a table or a picture");
    }
    if (!mkdtemp(folder)) {
        int code = cli_fail(CLI_FAILED, "%s: cannot make a folder: %s", folder, strerror(errno));
        free(data);
        free(folder);
        return code;
    }
    char *path = cli_text("%s/input%s", folder, ending_of(data, bytes));
    int code = cli_write_whole(path, (const char *)data, bytes);
    stoa_dataset *samples = NULL;
    stoa_status status = STOA_OK;
    if (code == CLI_DONE) {
        subject->named = path;
        status = stoa_model_open_samples(subject->context, subject->model, path, &samples);
        subject->named = NULL;
    }
    (void)unlink(path);
    (void)rmdir(folder);
    if (code == CLI_DONE && status != STOA_OK) {
        code = fail_input(subject, status, path);
    } else if (code == CLI_DONE) {
        add(sources, cli_text("-"), samples);
    }
    free(data);
    free(path);
    free(folder);
    return code;
}

/* ---- all of them ---- */

static int open_operand(struct cli_subject *subject, const char *operand, struct cli_sources *sources) {
    if (strcmp(operand, "-") == 0) {
        return open_input(subject, sources);
    }
    if (cli_is_folder(operand)) {
        return open_folder(subject, operand, sources);
    }
    if (!cli_is_drawn(operand)) {
        return open_one(subject, operand, sources);
    }
    stoa_dataset *data = NULL; /* those that a training leaves out */
    stoa_status status = stoa_model_open_data(subject->context, subject->model, operand, false, &data);
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    add(sources, cli_text("%s", operand), data);
    return CLI_DONE;
}

int cli_sources_open(const struct cli_request *request, struct cli_subject *subject,
                     struct cli_sources *sources) {
    int code = CLI_DONE;
    *sources = (struct cli_sources){.count = 0};
    for (size_t i = 0; code == CLI_DONE && i < request->operand_count; i++) {
        code = open_operand(subject, request->operands[i], sources);
    }
    return code;
}

void cli_sources_close(struct cli_sources *sources) {
    for (size_t i = 0; i < sources->count; i++) {
        stoa_dataset_free(sources->source[i].data);
        free(sources->source[i].name);
    }
    free(sources->source);
    *sources = (struct cli_sources){.count = 0};
}
