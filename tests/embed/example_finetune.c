/* SPDX-License-Identifier: MIT */
/* How a C program goes on with what a network has learned: the convolution of example_train's model, which
 * told three bands apart, is kept as it is, and a new last layer learns six of them. example_finetune
 * MODEL_FILE */
#include <stdio.h>
#include <string.h>

#include <stoa/stoa.h>

enum { SIZE = 6, PIXELS = SIZE * SIZE, CLASSES = 6, SAMPLES = 240, WEIGHTS = 6 * 3 * 3 };

static float images[SAMPLES][PIXELS];
static int32_t labels[SAMPLES];

/* A bright row says the class. */
static void make_images(void) {
    for (int n = 0; n < SAMPLES; n++) {
        labels[n] = n % CLASSES;
        for (int i = 0; i < PIXELS; i++) {
            float noise = (float)((n * 31 + i * 17) % 13) / 26.0F;
            images[n][i] = (i / SIZE == labels[n] ? 0.8F : 0.0F) + noise;
        }
    }
}

/* Told of every tensor of the model, and of those that only the file has. */
static void show(void *user, const stoa_tensor_match *match) {
    static const char *const words[] = {"taken", "has another shape", "is not in the file", "is not used"};
    size_t *taken = user;
    *taken += match->match == STOA_MATCH_TAKEN;
    printf("%s %s\n", match->name, words[match->match]);
}

/* The same layers, but for the last one. */
static stoa_status define(stoa_context *context, stoa_model **model) {
    stoa_status status = stoa_model_create(context, model);
    if (status != STOA_OK) {
        return status;
    }
    stoa_model_input(*model, SIZE, SIZE, 1);
    stoa_model_add(*model, "c1", "conv2d filters=6 kernel=3 pad=same");
    stoa_model_add(*model, "r1", "relu");
    stoa_model_add(*model, "p1", "maxpool2d size=2");
    stoa_model_add(*model, "f1", "linear units=6");
    status = stoa_model_build(*model);
    return status == STOA_OK ? stoa_model_init(*model, 1) : status;
}

static stoa_status tune(stoa_context *context, stoa_model *model, stoa_evaluation *found) {
    stoa_dataset *data;
    stoa_status status =
        stoa_dataset_from_arrays(context, &images[0][0], labels, SAMPLES, SIZE, SIZE, 1, CLASSES, &data);
    if (status != STOA_OK) {
        return status;
    }
    const stoa_train_options options = {
        .epochs = 40, .batch = 16, .learning_rate = 0.02F, .seed = 1, .freeze = "c1"};
    status = stoa_train(context, model, data, NULL, &options, NULL);
    if (status == STOA_OK) {
        status = stoa_evaluate(context, model, data, 0, NULL, found);
    }
    stoa_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    stoa_context *context;
    if (argc != 2 || stoa_context_create(NULL, &context) != STOA_OK) {
        return 2;
    }
    make_images();
    size_t taken = 0;
    float before[WEIGHTS] = {0}, after[WEIGHTS] = {1};
    stoa_evaluation found = {0};
    stoa_model *model = NULL;
    stoa_status status = define(context, &model);
    if (status == STOA_OK) {
        status = stoa_model_load_matching(model, argv[1], show, &taken);
    }
    if (status == STOA_OK) {
        status = stoa_model_get_tensor(model, 0, before, WEIGHTS); /* c1.weight */
    }
    if (status == STOA_OK) {
        status = tune(context, model, &found);
    }
    if (status == STOA_OK) {
        status = stoa_model_get_tensor(model, 0, after, WEIGHTS);
    }
    if (status != STOA_OK) {
        fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    } else {
        printf("accuracy %.3f\n", found.accuracy);
    }
    stoa_model_free(model);
    stoa_context_free(context);
    bool right = taken == 2 && memcmp(before, after, sizeof before) == 0 && found.accuracy > 0.9;
    return status == STOA_OK && right ? 0 : 1;
}
