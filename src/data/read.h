/* SPDX-License-Identifier: MIT */
/* What the readers of single formats offer stoa_dataset_load() beyond the public header, and what it offers
 * the parts it is made of. */
#ifndef STOA_DATA_READ_H
#define STOA_DATA_READ_H

#include <stdbool.h>

#include <stoa/data.h>

struct stoa_zip;

/* stoa_dataset_open_idx() with options: classes (0: as many as the labels show), the shape, layout; with
 * `memory` above 0 larger files stay on disk. */
stoa_status stoa_idx_open(stoa_context *context, const char *images, const char *labels,
                          const stoa_data_options *options, stoa_dataset **dataset);
/* stoa_dataset_open() with options. */
stoa_status stoa_idx_open_folder(stoa_context *context, const char *folder, stoa_split split,
                                 const stoa_data_options *options, stoa_dataset **dataset);
/* The images of an IDX file alone, with labels of 0; and whether a file is one, or packed with gzip. */
stoa_status stoa_idx_open_images(stoa_context *context, const char *path, const stoa_data_options *options,
                                 stoa_dataset **dataset);
bool stoa_idx_is_file(const char *path);
/* stoa_dataset_open_npz() from an open archive. */
stoa_status stoa_npz_read(const struct stoa_zip *zip, const char *samples, const char *labels,
                          const stoa_data_options *options, stoa_dataset **dataset);

/* stoa_image_read() with the height, width, channels and resize of `wanted`. */
stoa_status stoa_image_take(stoa_context *context, const char *path, const stoa_data_options *wanted,
                            float *out);

/* A call of stoa_dataset_load(). */
enum { STOA_LOAD_TRAIN, STOA_LOAD_TEST, STOA_LOAD_PARTS };
struct stoa_load {
    stoa_context *context;
    const char *path;
    const stoa_data_options *options;
    bool wanted[STOA_LOAD_PARTS];
    stoa_dataset *made[STOA_LOAD_PARTS];
};

/* Hand out a whole set, or its parts; takes over `whole`. */
stoa_status stoa_load_divide(struct stoa_load *load, stoa_dataset *whole);

/* FOLDER/NAME, from malloc; NULL with the error set. */
char *stoa_load_join(stoa_context *context, const char *folder, const char *name);
/* Whether there is a NAME in the folder. */
bool stoa_load_is_there(const char *folder, const char *name);

/* Whether a folder holds folders, which may be those of pictures. */
stoa_status stoa_pictures_are_there(stoa_context *context, const char *folder, bool *there);

/* IDX files in load->path, which has so many `entries`, or in the one folder in it that has them. False when
 * there are none. */
bool stoa_load_idx(struct stoa_load *load, size_t entries, stoa_status *status);

/* Arrays found by their usual names, in the archive or the folder load->path. */
stoa_status stoa_load_npz(struct stoa_load *load, const char *path);
/* False when the folder has no such arrays. */
bool stoa_load_npy_folder(struct stoa_load *load, stoa_status *status);

#endif
