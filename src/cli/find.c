/* SPDX-License-Identifier: MIT */
/* Recipes and data sets by name. Public headers only. */
#include "cli/find.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stoa/status.h>

#include "cli/command.h"
#include "cli/report.h"

/* Whether something is there. What cannot be told ends the command: a disk that fails is no reason to take
 * another file of the same name. */
static bool look(const char *path, struct stat *about) {
    if (stat(path, about) == 0) {
        return true;
    }
    static const int absent[] = {ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        if (errno == absent[i]) {
            return false;
        }
    }
    cli_end(cli_fail(CLI_FAILED, "%s: cannot be looked at: %s", path, strerror(errno)));
}

bool cli_is_folder(const char *path) {
    struct stat about;
    return look(path, &about) && S_ISDIR(about.st_mode);
}

bool cli_is_file(const char *path) {
    struct stat about;
    return look(path, &about) && !S_ISDIR(about.st_mode);
}

static bool is_there(const char *path) {
    struct stat about;
    return look(path, &about);
}

bool cli_is_regular(const char *path) {
    struct stat about;
    return look(path, &about) && S_ISREG(about.st_mode);
}

/* Add FOLDER/PART/SUB, where PART and SUB may be empty. */
static void add(struct cli_places *places, const char *folder, size_t length, const char *part,
                const char *sub) {
    if (places->count < CLI_MOST_PLACES) {
        places->folder[places->count++] =
            cli_text("%.*s%s%s%s%s", (int)length, folder, *part ? "/" : "", part, *sub ? "/" : "", sub);
    }
}

char *cli_find_beside(const char *path) {
    char command[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", command, sizeof command);
    if (length < 0 || (size_t)length >= sizeof command || *path == '/') {
        length = 0;
    }
    while (length > 0 && command[length - 1] != '/') {
        length--;
    }
    if (length == 0 && *path != '/') {
        return NULL;
    }
    char *there = cli_text("%.*s%s", (int)length, command, path);
    char *found = realpath(there, NULL);
    free(there);
    return found;
}

/* Where the data are when the whole prefix has been moved: from the command's own place as far as at its
 * installation. A command in its build folder has no such neighbour. */
static void add_installed(struct cli_places *places, const char *sub) {
    char *folder = cli_find_beside(STOA_DATA_FROM_COMMAND);
    const char *data = folder && cli_is_folder(folder) ? folder : STOA_DATA_DIR;
    add(places, data, strlen(data), "", sub);
    free(folder);
}

void cli_find_places(bool recipes, struct cli_places *places) {
    const char *sub = recipes ? "recipes" : "";
    places->count = 0;
    add(places, ".", 1, "", "");
    add(places, "data", 4, "", sub);
    const char *home = getenv("XDG_DATA_HOME");
    if (home && *home == '/') { /* the standard: a relative path is to be ignored */
        add(places, home, strlen(home), "stoa", sub);
    } else if ((home = getenv("HOME")) != NULL && *home) {
        add(places, home, strlen(home), ".local/share/stoa", sub);
    }
    const char *folders = getenv("XDG_DATA_DIRS");
    if (!folders || !*folders) {
        folders = "/usr/local/share:/usr/share";
    }
    while (*folders) {
        size_t length = strcspn(folders, ":");
        if (*folders == '/') {
            add(places, folders, length, "stoa", sub);
        }
        folders += length + (folders[length] == ':');
    }
    add_installed(places, sub);
}

void cli_find_free(struct cli_places *places) {
    for (size_t i = 0; i < places->count; i++) {
        free(places->folder[i]);
    }
    places->count = 0;
}

/* First PLACE/NAME+SUFFIX that is there. "./" is left out: messages and default names read better. */
static char *search(const struct cli_places *places, const char *name, const char *suffix,
                    bool (*fits)(const char *)) {
    for (size_t i = 0; i < places->count; i++) {
        bool here = strcmp(places->folder[i], ".") == 0;
        char *path = cli_text("%s%s%s%s", here ? "" : places->folder[i], here ? "" : "/", name, suffix);
        if (fits(path)) {
            return path;
        }
        free(path);
    }
    return NULL;
}

static char *join_places(const struct cli_places *places) {
    char *all = cli_text("%s", "");
    for (size_t i = 0; i < places->count; i++) {
        char *longer = cli_text("%s%s%s", all, i ? ", " : "", places->folder[i]);
        free(all);
        all = longer;
    }
    return all;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* ---- names that are not there ---- */

static const char *const recipe_ends[] = {".ini", NULL};
static const char *const data_ends[] = {".csv", ".npz", "", NULL};

/* What a file is called without the first of `ends` that it has, from malloc; NULL: it has none of them. */
static char *name_of_file(const char *file, const char *const *ends) {
    for (size_t i = 0; file[0] != '.' && ends[i]; i++) {
        if (ends_with(file, ends[i]) && strlen(file) > strlen(ends[i])) {
            return cli_text("%.*s", (int)(strlen(file) - strlen(ends[i])), file);
        }
    }
    return NULL;
}

/* The name in a folder that is near `name`, from malloc, or NULL. */
static char *near_in(const char *folder, const char *name, const char *const *ends) {
    struct dirent **files;
    int count = scandir(folder, &files, NULL, alphasort);
    char *near = NULL;
    for (int i = 0; i < count; i++) {
        char *other = name_of_file(files[i]->d_name, ends);
        /* Of two that are near, the nearer. */
        const char *both[] = {near ? near : other, other};
        const char *found = other ? stoa_nearest(name, both, 2) : NULL;
        if (found && found == other) {
            free(near);
            near = other;
        } else {
            free(other);
        }
        free(files[i]);
    }
    if (count >= 0) {
        free(files);
    }
    return near;
}

static void fail_unknown(const char *what, const char *name, const struct cli_places *places,
                         const char *const *ends, const char *advice) {
    char *looked = join_places(places), *near = NULL;
    for (size_t i = 0; !near && i < places->count; i++) {
        near = near_in(places->folder[i], name, ends);
    }
    (void)cli_fail(CLI_WRONG,
                   near ? "%s: no such %s, did you mean '%s'? Looked in %s; %s"
                        : "%s: no such %s%s in %s; %s",
                   name, what, near ? near : "", looked, advice);
    free(near);
    free(looked);
}

char *cli_find_recipe(const char *name) {
    if (strchr(name, '/')) {
        return cli_text("%s", name); /* a path: the library says what is wrong with it */
    }
    struct cli_places places;
    cli_find_places(true, &places);
    char *path = search(&places, name, ends_with(name, ".ini") ? "" : ".ini", cli_is_file);
    if (!path && cli_is_file(name)) {
        path = cli_text("%s", name);
    }
    if (!path) {
        fail_unknown("recipe", name, &places, recipe_ends, "'stoa recipes' lists those there are");
    }
    cli_find_free(&places);
    return path;
}

char *cli_find_data(const char *name) {
    if (strchr(name, '/')) {
        return cli_text("%s", name);
    }
    struct cli_places places;
    cli_find_places(false, &places);
    char *path = search(&places, name, "", is_there);
    /* Drawn, where nothing has that name. */
    bool drawn = !path && strcmp(name, "digits") == 0;
    static const char *const ends[] = {".csv", ".npz"};
    for (size_t i = 0; !path && i < sizeof ends / sizeof ends[0]; i++) {
        path = search(&places, name, ends[i], cli_is_file);
    }
    if (!path && drawn) {
        path = cli_text("%s", name);
    }
    if (!path) {
        fail_unknown("data set", name, &places, data_ends, "--data PATH names a file or folder");
    }
    cli_find_free(&places);
    return path;
}

char *cli_recipe_name(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = cli_text("%s", slash ? slash + 1 : path);
    if (ends_with(name, ".ini") && strlen(name) > 4) {
        name[strlen(name) - 4] = '\0';
    }
    return name;
}

/* Whether a folder before number `at` has the file, which is found there then. */
static bool is_hidden(const struct cli_places *places, size_t at, const char *file) {
    bool hidden = false;
    for (size_t i = 0; !hidden && i < at; i++) {
        char *path = cli_text("%s/%s", places->folder[i], file);
        hidden = cli_is_file(path);
        free(path);
    }
    return hidden;
}

void cli_print_recipe_names(void) {
    struct cli_places places;
    cli_find_places(true, &places);
    for (size_t i = 0; i < places.count; i++) {
        struct dirent **files;
        int count = scandir(places.folder[i], &files, NULL, alphasort);
        for (int k = 0; k < count; k++) {
            char *name = name_of_file(files[k]->d_name, recipe_ends);
            if (name && !is_hidden(&places, i, files[k]->d_name)) {
                cli_print("%s\n", name);
            }
            free(name);
            free(files[k]);
        }
        if (count >= 0) {
            free(files);
        }
    }
    cli_find_free(&places);
}
