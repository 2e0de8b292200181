/* SPDX-License-Identifier: MIT */
/* How a C program defines a small network, trains it with a callback that shows progress and may stop, and
 * saves it: a bright band in a 6x6 image says its class. example_train MODEL_FILE */
#include <stdio.h>
#include <stoa/stoa.h>

enum { SIZE = 6, PIXELS = SIZE * SIZE, CLASSES = 3, SAMPLES = 120 };

static float images[SAMPLES][PIXELS];
static int32_t labels[SAMPLES];

static void make_images(void) {
    for (int n = 0; n < SAMPLES; n++) {
        labels[n] = n % CLASSES;
        for (int i = 0; i < PIXELS; i++) {
            float noise = (float)((n * 31 + i * 17) % 13) / 26.0F;
            images[n][i] = (i / SIZE / 2 == labels[n] ? 0.8F : 0.0F) + noise;
        }
    }
}

/* Called after every step and every epoch. `user` is the program's own. */
static bool show(void *user, const stoa_progress *progress) {
    double *accuracy = user;
    if (progress->epoch_done) {
        *accuracy = progress->test_accuracy;
        printf("epoch %zu: loss %.4f, accuracy %.3f\n", progress->epoch, progress->train_loss, *accuracy);
    }
    return progress->epoch_done && *accuracy == 1; /* enough */
}

/* The first error of the calls that build sticks: one check is enough. */
static stoa_status define(stoa_context *context, stoa_model **model) {
    stoa_status status = stoa_model_create(context, model);
    if (status != STOA_OK) {
        return status;
    }
    stoa_model_input(*model, SIZE, SIZE, 1);
    stoa_model_add(*model, "c1", "conv2d filters=6 kernel=3 pad=same");
    stoa_model_add(*model, "r1", "relu");
    stoa_model_add(*model, "p1", "maxpool2d size=2");
    stoa_model_add(*model, "f1", "linear units=3");
    status = stoa_model_build(*model);
    return status == STOA_OK ? stoa_model_init(*model, 1) : status;
}

static stoa_status train(stoa_context *context, stoa_model *model, double *accuracy) {
    stoa_dataset *data;
    stoa_status status =
        stoa_dataset_from_arrays(context, &images[0][0], labels, SAMPLES, SIZE, SIZE, 1, CLASSES, &data);
    if (status != STOA_OK) {
        return status;
    }
    const stoa_train_options options = {.epochs = 30, .batch = 16, .learning_rate = 0.02F, .seed = 1};
    status = stoa_train(context, model, data, data, &options,
                        &(stoa_train_callbacks){.progress = show, .user = accuracy});
    stoa_dataset_free(data);
    return status == STOA_ERR_CANCELLED ? STOA_OK : status; /* by show(), which was content */
}

int main(int argc, char **argv) {
    stoa_context *context;
    if (argc != 2 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    make_images();
    double accuracy = 0;
    stoa_model *model = NULL;
    stoa_status status = define(context, &model);
    if (status == STOA_OK) {
        status = train(context, model, &accuracy);
    }
    if (status == STOA_OK) {
        status = stoa_model_save(model, argv[1]);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    }
    stoa_model_free(model);
    stoa_context_free(context);
    return status == STOA_OK && accuracy == 1 ? 0 : 1;
}
