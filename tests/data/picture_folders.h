/* SPDX-License-Identifier: MIT */
/* Folders of pictures, made for a test and removed after it, and a context whose log is kept in notes. */
#ifndef STOA_TESTS_DATA_PICTURE_FOLDERS_H
#define STOA_TESTS_DATA_PICTURE_FOLDERS_H

#include <png.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"
#include "notes.h"

static struct scratch scratch;
static stoa_context *context;

/* Folders within folders, two deep at most, with what is in them. */
static inline void remove_below(const char *folder) {
    struct scratch inner = {.next = 0};
    DIR *open = opendir(folder);
    assert_true(strlen(folder) < sizeof inner.folder);
    (void)snprintf(inner.folder, sizeof inner.folder, "%s", folder);
    for (struct dirent *entry; open && (entry = readdir(open));) {
        struct stat about;
        if (entry->d_name[0] != '.' && stat(scratch_path(&inner, entry->d_name), &about) == 0 &&
            S_ISDIR(about.st_mode)) {
            remove_below(scratch_path(&inner, entry->d_name));
        }
    }
    if (open) {
        (void)closedir(open);
    }
    scratch_close(&inner);
}

static inline int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    notes[0] = '\0';
    const stoa_context_options options = {.log = note};
    return stoa_context_create(&options, &context) == STOA_OK ? 0 : -1;
}

static inline int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    remove_below(scratch.folder);
    return 0;
}

static inline const char *make_folder(const char *name) {
    const char *path = scratch_path(&scratch, name);
    (void)mkdir(path, 0777);
    return path;
}

/* A picture whose first pixel is this bright: grey, or with `colour` that much red, on a black ground. */
static inline const char *write_picture(const char *name, size_t height, size_t width, uint8_t first,
                                        bool colour) {
    uint8_t pixels[256] = {first};
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height};
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    const char *path = scratch_path(&scratch, name);
    assert_true(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    return path;
}

#endif
