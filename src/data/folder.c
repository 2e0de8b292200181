/* SPDX-License-Identifier: MIT */
/* Folders, with POSIX calls. */
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"

bool stoa_names_add(struct stoa_names *names, char *text) {
    if (text && names->count == names->room) {
        size_t room = names->room ? 2 * names->room : 64;
        char **larger =
            room <= SIZE_MAX / sizeof *larger ? realloc(names->text, room * sizeof *larger) : NULL;
        if (!larger) {
            free(text);
            return false;
        }
        names->text = larger;
        names->room = room;
    }
    if (text) {
        names->text[names->count++] = text;
    }
    return text != NULL;
}

void stoa_names_clear(struct stoa_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        free(names->text[i]);
    }
    free(names->text);
    *names = (struct stoa_names){.count = 0};
}

/* What nobody put there: file managers' and archives' leavings. */
static bool is_leaving(const char *name) {
    static const char *const leavings[] = {"Thumbs.db", "ehthumbs.db", "Desktop.ini", "desktop.ini", "Icon\r",
                                           "__MACOSX",  "@eaDir",      "lost+found",  "$RECYCLE.BIN"};
    for (size_t i = 0; i < sizeof leavings / sizeof leavings[0]; i++) {
        if (strcmp(name, leavings[i]) == 0) {
            return true;
        }
    }
    return name[0] == '.';
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* readdir() says neither by its result whether it failed or came to the end. */
static stoa_status read_all(stoa_context *context, const char *folder, DIR *open, struct stoa_names *names) {
    struct dirent *entry;
    while (errno = 0, (entry = readdir(open)) != NULL) {
        if (!is_leaving(entry->d_name) && !stoa_names_add(names, strdup(entry->d_name))) {
            return stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory for the names in it", folder);
        }
    }
    return errno == 0 ? STOA_OK
                      : stoa_fail(context, STOA_ERR_IO, "%s: this folder cannot be read to its end", folder);
}

stoa_status stoa_folder_list(stoa_context *context, const char *folder, struct stoa_names *names) {
    DIR *open = opendir(folder);
    if (!open) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return errno == ENOMEM
                   ? stoa_fail(context, STOA_ERR_MEMORY, "%s: no memory to look into it", folder)
                   : stoa_fail(context, missing ? STOA_ERR_NOT_FOUND : STOA_ERR_IO, "%s: %s", folder,
                               missing ? "no such folder" : "this folder cannot be looked into");
    }
    stoa_status status = read_all(context, folder, open, names);
    (void)closedir(open);
    if (status != STOA_OK) {
        stoa_names_clear(names);
    } else if (names->count > 0) {
        qsort(names->text, names->count, sizeof *names->text, by_bytes);
    }
    return status;
}

stoa_status stoa_folder_is(stoa_context *context, const char *path, bool *folder) {
    struct stat about;
    if (stat(path, &about) != 0) {
        return stoa_fail(context, STOA_ERR_IO, "%s: %s", path,
                         errno == ENOENT ? "is gone, or a link to nothing" : "cannot be looked into");
    }
    *folder = S_ISDIR(about.st_mode);
    return STOA_OK;
}
