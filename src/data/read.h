/* What the readers of single formats offer stoa_dataset_load() beyond the public header. Floor 6. */
#ifndef STOA_DATA_READ_H
#define STOA_DATA_READ_H

#include <stoa/data.h>

/* stoa_dataset_open(), where 0 classes mean as many as the labels show. */
stoa_status stoa_idx_open_folder(stoa_context *context, const char *folder, stoa_split split, size_t classes,
                                 stoa_dataset **dataset);

#endif
