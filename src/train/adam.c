/* adam: adaptive moments (Kingma and Ba 2015), as in PyTorch: the bias correction of the second moment inside
 * the root, epsilon outside; `decay` adds decay * p to the gradient. Floor 7. */
#include <math.h>

#include "train/optimizer.h"

struct adam_options {
    float beta1, beta2, epsilon, decay;
};

static const struct stoa_option options[] = {
    {"beta1", STOA_OPTION_FLOAT, offsetof(struct adam_options, beta1), "0.9", 0, 0.999999, NULL},
    {"beta2", STOA_OPTION_FLOAT, offsetof(struct adam_options, beta2), "0.999", 0, 0.999999, NULL},
    {"epsilon", STOA_OPTION_FLOAT, offsetof(struct adam_options, epsilon), "1e-8", 1e-30, 1, NULL},
    {"decay", STOA_OPTION_FLOAT, offsetof(struct adam_options, decay), "0", 0, 1, NULL},
};

/* The two moments. */
static size_t slots(const void *given) {
    (void)given;
    return 2;
}

static void update(const struct stoa_update *u) {
    const struct adam_options *o = u->options;
    double correction1 = 1.0 - pow((double)o->beta1, (double)u->step);
    double correction2 = 1.0 - pow((double)o->beta2, (double)u->step);
    u->kernels->adam(u->parameter, u->gradient, u->slot[0], u->slot[1], u->count,
                     (float)((double)u->learning_rate / correction1), o->beta1, o->beta2, o->epsilon,
                     (float)(1.0 / sqrt(correction2)), u->decays ? o->decay : 0);
}

const struct stoa_optimizer stoa_optimizer_adam = {
    .name = "adam",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct adam_options),
    .slots = slots,
    .update = update,
};
