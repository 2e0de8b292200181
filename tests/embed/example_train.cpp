/* SPDX-License-Identifier: MIT */
// How a C++ program uses the library: a network defined, trained with a callback, asked, and a product on its
// own buffers.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stoa/stoa.h>
#include <vector>

struct free_context {
    void operator()(stoa_context *c) const {
        stoa_context_free(c);
    }
};
struct free_model {
    void operator()(stoa_model *m) const {
        stoa_model_free(m);
    }
};
struct free_dataset {
    void operator()(stoa_dataset *d) const {
        stoa_dataset_free(d);
    }
};

static bool good(stoa_status status, const stoa_context *context) {
    if (status != STOA_OK) {
        std::fprintf(stderr, "%s: %s\n", stoa_status_text(status), stoa_context_error(context));
    }
    return status == STOA_OK;
}

// Bright pixels in one half of a 6x6 image say which class it is.
static void make_images(std::vector<float> &images, std::vector<std::int32_t> &labels) {
    for (std::size_t n = 0; n < labels.size(); n++) {
        labels[n] = static_cast<std::int32_t>(n % 2);
        for (std::size_t i = 0; i < 36; i++) {
            const bool right = i % 6 >= 3;
            const float noise = static_cast<float>((n * 31 + i * 17) % 13) / 26.0F;
            images[n * 36 + i] = (right == (labels[n] == 1) ? 0.8F : 0.0F) + noise;
        }
    }
}

static bool multiplies(stoa_context *context) {
    const std::vector<float> a{1, 2, 3, 4}, b{5, 6, 7, 8};
    std::vector<float> c(4);
    return good(stoa_sgemm(context, false, true, 2, 2, 2, 1, a.data(), 2, b.data(), 2, 0, c.data(), 2),
                context) &&
           c == std::vector<float>{17, 23, 39, 53};
}

int main() {
    stoa_context *raw_context = nullptr;
    if (stoa_context_create(nullptr, &raw_context) != STOA_OK) {
        return 1;
    }
    const std::unique_ptr<stoa_context, free_context> context(raw_context);
    stoa_model *raw_model = nullptr;
    if (!good(stoa_model_create(context.get(), &raw_model), context.get())) {
        return 1;
    }
    const std::unique_ptr<stoa_model, free_model> model(raw_model);
    stoa_model_input(model.get(), 6, 6, 1);
    stoa_model_add(model.get(), "c1", "conv2d filters=4 kernel=3 pad=1");
    stoa_model_add(model.get(), "r1", "relu");
    stoa_model_add(model.get(), "p1", "avgpool2d size=2");
    stoa_model_add(model.get(), "f1", "linear units=2");
    if (!good(stoa_model_build(model.get()), context.get()) ||
        !good(stoa_model_init(model.get(), 1), context.get())) {
        return 1;
    }
    std::vector<float> images(60 * 36);
    std::vector<std::int32_t> labels(60);
    make_images(images, labels);
    stoa_dataset *raw_dataset = nullptr;
    if (!good(stoa_dataset_from_arrays(context.get(), images.data(), labels.data(), labels.size(), 6, 6, 1, 2,
                                       &raw_dataset),
              context.get())) {
        return 1;
    }
    const std::unique_ptr<stoa_dataset, free_dataset> dataset(raw_dataset);
    stoa_train_options options{};
    options.epochs = 12;
    options.batch = 16;
    options.learning_rate = 0.02F;
    double accuracy = 0;
    const auto progress = [](void *user, const stoa_progress *p) {
        if (p->epoch_done) {
            *static_cast<double *>(user) = p->test_accuracy;
        }
        return false;
    };
    stoa_train_callbacks callbacks = {};
    callbacks.user = &accuracy;
    callbacks.progress = progress;
    if (!good(stoa_train(context.get(), model.get(), dataset.get(), dataset.get(), &options, &callbacks),
              context.get())) {
        return 1;
    }
    return accuracy == 1.0 && multiplies(context.get()) ? 0 : 1;
}
