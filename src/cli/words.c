/* SPDX-License-Identifier: MIT */
/* The words of the command line. One process has one, so it is this file's. Public headers only. */
#include "cli/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/report.h"

static char *const *typed;

void cli_words_note(char *const *words) {
    typed = words;
}

/* Whether a name without a slash leads a shell to the file that this process was executed from. */
static bool is_found(const char *name) {
    struct stat own, other;
    const char *path = getenv("PATH");
    bool known = stat("/proc/self/exe", &own) == 0;
    while (known && path && *path) {
        size_t length = strcspn(path, ":");
        char *file = cli_text("%.*s%s%s", (int)length, path, length ? "/" : "./", name);
        bool there = stat(file, &other) == 0 && S_ISREG(other.st_mode) && access(file, X_OK) == 0;
        free(file);
        if (there) { /* the first one is the one that runs */
            return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
        }
        path += length + (path[length] == ':');
    }
    return false;
}

char *cli_own_word(void) {
    static const char name[] = "stoa";
    bool plain = !typed || !typed[0] || !strchr(typed[0], '/') || is_found(name);
    return cli_shell_word(plain ? name : typed[0]);
}

json_t *cli_words_typed(void) {
    json_t *words = cli_json_array();
    cli_json_append(words, cli_json_text("stoa"));
    for (size_t i = 1; typed && typed[0] && typed[i]; i++) {
        cli_json_append(words, cli_json_text(typed[i]));
    }
    return words;
}

char *cli_path_word(const char *path) {
    char *plain = cli_text("%s%s", path[0] == '-' ? "./" : "", path);
    char *word = cli_shell_word(plain);
    free(plain);
    return word;
}

char *cli_words_line(const json_t *words) {
    char *line = cli_text("%s", "");
    for (size_t i = 0; i < json_array_size(words); i++) {
        char *word = cli_shell_word(json_string_value(json_array_get(words, i)));
        char *longer = cli_text("%s%s%s", line, i ? " " : "", word);
        free(line);
        free(word);
        line = longer;
    }
    return line;
}

char *cli_absolute(const char *path) {
    char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
    if (!folder && *path != '/' && errno == ENOMEM) {
        cli_out_of_memory();
    }
    if (!folder && *path != '/' && errno != ENOENT && errno != EACCES) { /* those of a folder that is gone */
        cli_end(cli_fail(CLI_FAILED, "the current folder is not known: %s", strerror(errno)));
    }
    while (folder && path[0] == '.' && path[1] == '/') {
        path += 2 + strspn(path + 2, "/");
    }
    bool joined = folder && *path && strcmp(folder, "/") != 0;
    char *absolute = cli_text("%s%s%s", folder ? folder : "", joined ? "/" : "", path);
    free(folder);
    return absolute;
}
