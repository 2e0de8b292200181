/* SPDX-License-Identifier: MIT */
/* Where recipes and data sets are looked for. */
#ifndef STOA_CLI_FIND_H
#define STOA_CLI_FIND_H

#include <stdbool.h>
#include <stddef.h>

/* Places, best first: the current folder, its data folder, the user's data folder ($XDG_DATA_HOME/stoa or
 * ~/.local/share/stoa), "stoa" in each folder of $XDG_DATA_DIRS (/usr/local/share:/usr/share), and the data
 * folder of the prefix that the command lies in or, where there is none, the one it was built for. The
 * strings are the caller's, to be released with cli_find_free(). */
enum { CLI_MOST_PLACES = 32 };
struct cli_places {
    char *folder[CLI_MOST_PLACES];
    size_t count;
};
/* Folders that may hold recipes, or data sets. */
void cli_find_places(bool recipes, struct cli_places *places);
void cli_find_free(struct cli_places *places);

/* Path of a recipe given as a path or a name, or NULL with the sentence printed. From malloc. */
char *cli_find_recipe(const char *name);

/* Path of a data set's file or folder given as a path or a name, with or without its ending, or NULL with the
 * sentence printed. From malloc. */
char *cli_find_data(const char *name);

/* A recipe's name from its path: "data/recipes/lenet5.ini" gives "lenet5". From malloc. */
char *cli_recipe_name(const char *path);

/* What lies at a path from the folder of the command's own file on, without links and dots; an absolute path
 * stays as it is. NULL when nothing is there. From malloc. */
char *cli_find_beside(const char *path);

bool cli_is_folder(const char *path);
bool cli_is_file(const char *path);    /* anything that is not a folder */
bool cli_is_regular(const char *path); /* opening it waits for nobody, as opening a pipe does */

/* Print the names of all recipes that are found, a line each; files are not opened. */
void cli_print_recipe_names(void);

#endif
