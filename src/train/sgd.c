/* sgd: stochastic gradient descent with momentum in the velocity form, as in PyTorch:
 *   g += decay * p,  v = momentum * v + g,  p -= lr * v. Floor 7. */
#include "train/optimizer.h"

struct sgd_options {
    float momentum, decay;
};

static const struct stoa_option options[] = {
    {"momentum", STOA_OPTION_FLOAT, offsetof(struct sgd_options, momentum), "0", 0, 1, NULL},
    {"decay", STOA_OPTION_FLOAT, offsetof(struct sgd_options, decay), "0", 0, 1, NULL},
};

/* Without momentum there is no velocity. */
static size_t slots(const void *given) {
    const struct sgd_options *o = given;
    return o->momentum > 0 ? 1 : 0;
}

static void update(const struct stoa_update *u) {
    const struct sgd_options *o = u->options;
    u->kernels->sgd(u->parameter, u->gradient, u->slot[0], u->count, u->learning_rate, o->momentum,
                    u->decays ? o->decay : 0);
}

const struct stoa_optimizer stoa_optimizer_sgd = {
    .name = "sgd",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_bytes = sizeof(struct sgd_options),
    .slots = slots,
    .update = update,
};
