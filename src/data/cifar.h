/* SPDX-License-Identifier: MIT */
/* CIFAR-10 and CIFAR-100 as their authors publish them in binary form. */
#ifndef STOA_DATA_CIFAR_H
#define STOA_DATA_CIFAR_H

#include <stdbool.h>

#include "data/read.h"

/* Read the set in load->path, or in a folder within it that is called as the archives unpack. False when
 * there is none. */
bool stoa_load_cifar(struct stoa_load *load, stoa_status *status);

#endif
