/* SPDX-License-Identifier: MIT */
/* Tensors of a file held against a model's: PyTorch's state dictionaries as they come. Types shorter and
 * longer than float32 become float32, and names may stand behind what PyTorch's wrappers put in front of
 * them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/size.h"
#include "core/context.h"
#include "model/files.h"
#include "model/model.h"

/* How much of a foreign name an error sentence repeats; less where it repeats several. */
#define NAME "%.80s"
#define SHORT_NAME "%.40s"

enum { LONGEST_PREFIX = 128, NAMED_TENSOR = 96 + STOA_SAFETENSORS_SHAPE };

static void from_f32(const unsigned char *data, size_t count, float *values) {
    memcpy(values, data, count * sizeof *values);
    stoa_swap_le_floats(values, count);
}

static void from_f16(const unsigned char *data, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        values[i] = stoa_half_to_float(stoa_load_le16(data + 2 * i));
    }
}

static void from_bf16(const unsigned char *data, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        values[i] = stoa_bfloat16_to_float(stoa_load_le16(data + 2 * i));
    }
}

static double load_f64(const unsigned char *data, size_t index) {
    return stoa_bits_to_double(stoa_load_le64(data + 8 * index));
}

static void from_f64(const unsigned char *data, size_t count, float *values) {
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)load_f64(data, i);
    }
}

static const struct type {
    const char *name;
    void (*convert)(const unsigned char *data, size_t count, float *values);
} types[] = {{"F32", from_f32}, {"F16", from_f16}, {"BF16", from_bf16}, {"F64", from_f64}};

static const struct type *find_type(const char *name) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

/* The tensor of this name behind a prefix, or NULL. */
static const struct stoa_safetensors_tensor *
find_behind(const struct stoa_safetensors *file, const struct stoa_state_prefix *prefix, const char *name) {
    if (prefix->bytes == 0) {
        return stoa_safetensors_find(file, name);
    }
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        const struct stoa_safetensors_tensor *tensor = stoa_safetensors_at(file, i);
        if (strncmp(tensor->name, prefix->text, prefix->bytes) == 0 &&
            strcmp(tensor->name + prefix->bytes, name) == 0) {
            return tensor;
        }
    }
    return NULL;
}

/* What PyTorch counts beside a model: batches that a batch norm has seen, models that an average is of. */
static bool is_count(const char *name) {
    static const char suffix[] = ".num_batches_tracked";
    size_t length = strlen(name);
    return strcmp(name, "n_averaged") == 0 ||
           (length >= sizeof suffix - 1 && strcmp(name + length - (sizeof suffix - 1), suffix) == 0);
}

/* Bytes of a wrapper's name in front of `name`: DataParallel's and DistributedDataParallel's,
 * torch.compile()'s; 0 without one. */
static size_t wrapper_bytes(const char *name) {
    static const char *const wrappers[] = {"module.", "_orig_mod."};
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        size_t bytes = strlen(wrappers[i]);
        if (strncmp(name, wrappers[i], bytes) == 0) {
            return bytes;
        }
    }
    return 0;
}

static bool is_shared(const struct stoa_safetensors *file, const struct stoa_state_prefix *prefix) {
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        const char *name = stoa_safetensors_at(file, i)->name;
        if (strncmp(name, prefix->text, prefix->bytes) != 0 && !is_count(name)) {
            return false;
        }
    }
    return true;
}

static bool finds_any(const stoa_model *model, const struct stoa_safetensors *file,
                      const struct stoa_state_prefix *prefix) {
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        if (stoa_model_tensor(model, i, &info) == STOA_OK && find_behind(file, prefix, info.name)) {
            return true;
        }
    }
    return false;
}

/* The shortest chain of wrappers, shared by all names, behind which the model's begin; "" where there is
 * none, so that sentences show the names as they are. */
static struct stoa_state_prefix find_prefix(const stoa_model *model, const struct stoa_safetensors *file) {
    const struct stoa_state_prefix none = {"", 0};
    struct stoa_state_prefix prefix = none;
    for (size_t i = 0; prefix.bytes == 0 && i < stoa_safetensors_count(file); i++) {
        const char *name = stoa_safetensors_at(file, i)->name;
        prefix.text = is_count(name) ? prefix.text : name;
    }
    while (!finds_any(model, file, &prefix)) {
        size_t more = wrapper_bytes(prefix.text + prefix.bytes);
        prefix.bytes += more;
        if (more == 0 || prefix.bytes > LONGEST_PREFIX || !is_shared(file, &prefix)) {
            return none;
        }
    }
    return prefix;
}

/* Whether the model has a tensor of the name that this one has in the file. */
static bool is_wanted(const stoa_model *model, const struct stoa_state_prefix *prefix, const char *name) {
    return strncmp(name, prefix->text, prefix->bytes) == 0 &&
           stoa_model_find_tensor(model, name + prefix->bytes) < stoa_model_tensor_count(model);
}

/* How many tensors of a file the model has none for. */
static size_t count_extra(const stoa_model *model, const struct stoa_safetensors *file,
                          const struct stoa_state_prefix *prefix) {
    size_t extra = 0;
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        extra += !is_count(stoa_safetensors_at(file, i)->name);
    }
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        extra -= stoa_model_tensor(model, i, &info) == STOA_OK && find_behind(file, prefix, info.name);
    }
    return extra;
}

/* A sentence about a missing tensor, with the first names that the model has no tensor for. */
static stoa_status fail_missing(const stoa_model *model, const struct stoa_safetensors *file,
                                const struct stoa_state_prefix *prefix, const stoa_tensor_info *wanted) {
    enum { NAMED = 3 };
    char expected[STOA_SAFETENSORS_SHAPE];
    char found[NAMED * (40 + 4) + 64] = "";
    size_t used = 0, named = 0, extra = count_extra(model, file, prefix);
    for (size_t i = 0; named < NAMED && i < stoa_safetensors_count(file); i++) {
        const char *name = stoa_safetensors_at(file, i)->name;
        if (!is_count(name) && !is_wanted(model, prefix, name)) {
            used += (size_t)snprintf(found + used, sizeof found - used, "%s'" SHORT_NAME "'",
                                     named > 0 ? ", " : "; found ", name);
            named++;
        }
    }
    if (extra > named) {
        (void)snprintf(found + used, sizeof found - used, " and %zu more", extra - named);
    }
    return stoa_fail(stoa_model_context(model), STOA_ERR_FORMAT,
                     "tensor '" NAME "' is missing, expected shape %s%s", wanted->name,
                     stoa_safetensors_shape(wanted->rank, wanted->shape, expected), found);
}

/* Every double becomes a float; infinities and NaN stay what they are. */
static stoa_status check_range(stoa_context *context, const struct stoa_safetensors_tensor *tensor,
                               size_t count) {
    /* From here on the nearest float is infinite. */
    static const double limit = 0x1.FFFFFFp+127;
    for (size_t i = 0; strcmp(tensor->dtype, "F64") == 0 && i < count; i++) {
        double value = load_f64(tensor->data, i);
        if (isfinite(value) && fabs(value) >= limit) {
            return stoa_fail(
                context, STOA_ERR_FORMAT,
                "tensor '" NAME
                "': value %zu is 2^%d or more in size, expected less than 2^128: F64 becomes F32",
                tensor->name, i, ilogb(value));
        }
    }
    return STOA_OK;
}

static bool has_shape(const struct stoa_safetensors_tensor *tensor, const stoa_tensor_info *wanted) {
    return tensor->rank == wanted->rank &&
           memcmp(tensor->shape, wanted->shape, wanted->rank * sizeof(size_t)) == 0;
}

/* A tensor of the right shape can become float32. */
static stoa_status check_type(stoa_context *context, const struct stoa_safetensors_tensor *tensor,
                              size_t count) {
    if (!find_type(tensor->dtype)) {
        return stoa_fail(context, STOA_ERR_FORMAT,
                         "tensor '" NAME "': found dtype %s, expected F32, F16, BF16 or F64", tensor->name,
                         tensor->dtype);
    }
    return check_range(context, tensor, count);
}

/* One tensor of the model has its counterpart in the file. */
static stoa_status check_wanted(const stoa_model *model, const struct stoa_safetensors *file,
                                const struct stoa_state_prefix *prefix, const stoa_tensor_info *wanted) {
    stoa_context *context = stoa_model_context(model);
    const struct stoa_safetensors_tensor *tensor = find_behind(file, prefix, wanted->name);
    if (!tensor) {
        return fail_missing(model, file, prefix, wanted);
    }
    if (find_type(tensor->dtype) && !has_shape(tensor, wanted)) {
        char expected[STOA_SAFETENSORS_SHAPE];
        char found[STOA_SAFETENSORS_SHAPE];
        return stoa_fail(context, STOA_ERR_SHAPE, "tensor '" NAME "': found shape %s, expected %s",
                         tensor->name, stoa_safetensors_shape(tensor->rank, tensor->shape, found),
                         stoa_safetensors_shape(wanted->rank, wanted->shape, expected));
    }
    return check_type(context, tensor, wanted->count);
}

static stoa_status check_extra(const stoa_model *model, const struct stoa_safetensors *file,
                               const struct stoa_state_prefix *prefix) {
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        const struct stoa_safetensors_tensor *tensor = stoa_safetensors_at(file, i);
        if (!is_wanted(model, prefix, tensor->name) && !is_count(tensor->name)) {
            char found[STOA_SAFETENSORS_SHAPE];
            return stoa_fail(stoa_model_context(model), STOA_ERR_FORMAT,
                             "found tensor '" NAME "' of shape %s, expected none of this name", tensor->name,
                             stoa_safetensors_shape(tensor->rank, tensor->shape, found));
        }
    }
    return STOA_OK;
}

stoa_status stoa_state_check(const stoa_model *model, const struct stoa_safetensors *file,
                             struct stoa_state_prefix *prefix) {
    *prefix = find_prefix(model, file);
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        stoa_status status = stoa_model_tensor(model, i, &info);
        if (status == STOA_OK) {
            status = check_wanted(model, file, prefix, &info);
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return check_extra(model, file, prefix);
}

/* Each tensor that has the model's name and shape becomes floats in `values` first, from where the model
 * takes them in its own order. */
static stoa_status copy(stoa_model *model, const struct stoa_safetensors *file,
                        const struct stoa_state_prefix *prefix, float *values) {
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        stoa_status status = stoa_model_tensor(model, i, &info);
        const struct stoa_safetensors_tensor *tensor =
            status == STOA_OK ? find_behind(file, prefix, info.name) : NULL;
        if (tensor && has_shape(tensor, &info)) {
            find_type(tensor->dtype)->convert(tensor->data, info.count, values);
            status = stoa_model_set_tensor(model, i, values, info.count);
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

stoa_status stoa_state_copy(stoa_model *model, const struct stoa_safetensors *file,
                            const struct stoa_state_prefix *prefix) {
    stoa_context *context = stoa_model_context(model);
    size_t largest = 0;
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        largest = stoa_model_tensor(model, i, &info) == STOA_OK ? stoa_max(largest, info.count) : largest;
    }
    if (largest == 0) {
        return STOA_OK;
    }
    size_t bytes = largest * sizeof(float); /* no overflow: the model has that many */
    float *values = stoa_allocate(context, bytes, "a tensor of a model file");
    if (!values) {
        return STOA_ERR_MEMORY;
    }
    stoa_status status = copy(model, file, prefix, values);
    stoa_release(context, values, bytes);
    return status;
}

/* ---- what fits ---- */

/* A tensor that a training keeps beside the model's. */
static bool is_of_training(const char *name) {
    static const char *const prefixes[] = {"average.", "best.", "optimizer.state."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* How a tensor of the model is met; the texts lie in `texts`. */
struct texts {
    char shape[STOA_SAFETENSORS_SHAPE], found[STOA_SAFETENSORS_SHAPE];
};

static stoa_tensor_match match_one(const struct stoa_safetensors *file,
                                   const struct stoa_state_prefix *prefix, const stoa_tensor_info *wanted,
                                   struct texts *texts) {
    const struct stoa_safetensors_tensor *tensor = find_behind(file, prefix, wanted->name);
    stoa_tensor_match match = {.match = STOA_MATCH_MISSING,
                               .name = wanted->name,
                               .shape = stoa_safetensors_shape(wanted->rank, wanted->shape, texts->shape),
                               .found = ""};
    if (tensor) {
        match.match = has_shape(tensor, wanted) ? STOA_MATCH_TAKEN : STOA_MATCH_SHAPE;
        match.found = stoa_safetensors_shape(tensor->rank, tensor->shape, texts->found);
    }
    return match;
}

/* The tensors of the model, and then what is left in the file. */
static void tell_all(const stoa_model *model, const struct stoa_safetensors *file,
                     const struct stoa_state_prefix *prefix, bool training, stoa_match_fn *tell, void *user) {
    struct texts texts;
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        if (stoa_model_tensor(model, i, &info) == STOA_OK) {
            const stoa_tensor_match match = match_one(file, prefix, &info, &texts);
            tell(user, &match);
        }
    }
    for (size_t i = 0; i < stoa_safetensors_count(file); i++) {
        const struct stoa_safetensors_tensor *tensor = stoa_safetensors_at(file, i);
        if (!is_wanted(model, prefix, tensor->name) && !is_count(tensor->name) &&
            !(training && is_of_training(tensor->name))) {
            const stoa_tensor_match match = {
                .match = STOA_MATCH_EXTRA,
                .name = tensor->name,
                .shape = "",
                .found = stoa_safetensors_shape(tensor->rank, tensor->shape, texts.found)};
            tell(user, &match);
        }
    }
}

/* A sentence with a tensor of the model and the one of its name in the file, or else the first of each. */
static stoa_status fail_match(const stoa_model *model, const struct stoa_safetensors *file,
                              const struct stoa_state_prefix *prefix) {
    struct texts texts;
    stoa_tensor_info wanted = {.name = ""};
    const struct stoa_safetensors_tensor *found = NULL;
    for (size_t i = 0; !found && i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        if (stoa_model_tensor(model, i, &info) == STOA_OK) {
            found = find_behind(file, prefix, info.name);
            wanted = found || i == 0 ? info : wanted;
        }
    }
    for (size_t i = 0; !found && i < stoa_safetensors_count(file); i++) {
        const struct stoa_safetensors_tensor *tensor = stoa_safetensors_at(file, i);
        found = is_count(tensor->name) ? NULL : tensor;
    }
    char what[NAMED_TENSOR] = "no tensor";
    if (found) {
        (void)snprintf(what, sizeof what, "'" NAME "' of shape %s", found->name,
                       stoa_safetensors_shape(found->rank, found->shape, texts.found));
    }
    return stoa_fail(stoa_model_context(model), STOA_ERR_SHAPE,
                     "nothing in it fits the model: found %s, expected names and shapes such as '%s' of "
                     "shape %s",
                     what, wanted.name, stoa_safetensors_shape(wanted.rank, wanted.shape, texts.shape));
}

stoa_status stoa_state_match(stoa_model *model, const struct stoa_safetensors *file, bool training,
                             stoa_match_fn *tell, void *user) {
    const struct stoa_state_prefix prefix = find_prefix(model, file);
    size_t taken = 0;
    for (size_t i = 0; i < stoa_model_tensor_count(model); i++) {
        stoa_tensor_info info;
        stoa_status status = stoa_model_tensor(model, i, &info);
        const struct stoa_safetensors_tensor *tensor =
            status == STOA_OK ? find_behind(file, &prefix, info.name) : NULL;
        if (tensor && has_shape(tensor, &info)) {
            status = check_type(stoa_model_context(model), tensor, info.count);
            taken++;
        }
        if (status != STOA_OK) {
            return status;
        }
    }
    stoa_status status = taken > 0 ? stoa_state_copy(model, file, &prefix) : fail_match(model, file, &prefix);
    if (status == STOA_OK && tell) {
        tell_all(model, file, &prefix, training, tell, user);
    }
    return status;
}
