/* SPDX-License-Identifier: MIT */
/** @file
 * Stoa: neural networks on CPUs through sgemm. This header takes in all of the library. */
#ifndef STOA_STOA_H
#define STOA_STOA_H

#include "blas.h"
#include "ccode.h"
#include "context.h"
#include "conv_plan.h"
#include "data.h"
#include "machine.h"
#include "model.h"
#include "model_data.h"
#include "onnx.h"
#include "ops.h"
#include "plan.h"
#include "recipe.h"
#include "status.h"
#include "train.h"
#include "version.h"

#endif
