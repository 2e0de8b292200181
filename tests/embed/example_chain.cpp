/* SPDX-License-Identifier: MIT */
/* A network as one node of a larger graph, from C++: two models behind each other give the outputs and
 * gradients of one model that holds both. What goes from one to the other lies in the caller's hands, as it
 * would in any automatic differentiation. */
#include <stoa/stoa.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

const std::size_t batch = 5, side = 8, units = 3;

stoa_context *context;

void need(stoa_status status) {
    if (status != STOA_OK) {
        std::fprintf(stderr, "%s\n", stoa_context_error(context));
        std::exit(1);
    }
}

/* One of the parts, or both. */
struct network {
    stoa_model *model = nullptr;
    stoa_plan *plan = nullptr;

    network(bool first, bool second) {
        need(stoa_model_create(context, &model));
        if (first) {
            stoa_model_add_input(model, "picture", side, side, 2);
            stoa_model_add(model, "/front/Conv_0", "conv2d filters=4 kernel=3");
            stoa_model_add(model, "/front/Relu_0", "relu");
        } else {
            stoa_model_add_input(model, "features", side - 2, side - 2, 4);
        }
        if (second) {
            const stoa_layer_option options[] = {{"units", "3"}, {nullptr, nullptr}};
            const char *inputs[] = {"flat", nullptr};
            stoa_layer_spec head = {};
            head.name = "head: 0";
            head.op = "linear";
            head.options = options;
            head.inputs = inputs;
            stoa_model_add(model, "flat", "flatten");
            stoa_model_add_layer(model, &head);
        }
        need(stoa_model_build(model));
        stoa_plan_options options = {};
        options.batch = batch;
        options.training = true;
        options.loss = "none";
        options.input_gradients = true;
        need(stoa_plan_create(context, model, &options, &plan));
        need(stoa_plan_bind(plan, nullptr));
    }
    ~network() {
        stoa_plan_free(plan);
        stoa_model_free(model);
    }
    network(const network &) = delete;
    network &operator=(const network &) = delete;

    std::vector<float> tensor(const std::string &name, bool gradient) const {
        std::size_t index = stoa_model_find_tensor(model, name.c_str());
        stoa_tensor_info info;
        need(stoa_model_tensor(model, index, &info));
        std::vector<float> values(info.count);
        need(gradient ? stoa_plan_get_gradient(plan, index, values.data(), values.size())
                      : stoa_model_get_tensor(model, index, values.data(), values.size()));
        return values;
    }
};

bool close_to(const char *what, const std::vector<float> &a, const std::vector<float> &b) {
    bool good = a.size() == b.size();
    for (std::size_t i = 0; good && i < a.size(); i++) {
        good = std::fabs(a[i] - b[i]) <= 1e-5F && std::isfinite(a[i]);
    }
    std::printf("%-24s %s\n", what, good ? "agrees" : "DIFFERS");
    return good;
}

void fill(float *values, std::size_t count, unsigned seed) {
    for (std::size_t i = 0; i < count; i++) {
        values[i] = static_cast<float>((i * 7919 + seed * 104729) % 1000) / 500 - 1;
    }
}

} // namespace

int main() {
    if (stoa_context_create(nullptr, &context) != STOA_OK) {
        return 1;
    }
    bool good = true;
    {
        network whole(true, true), front(true, false), back(false, true);
        const std::size_t floats = batch * side * side * 2, middle = batch * (side - 2) * (side - 2) * 4;
        need(stoa_model_init(whole.model, 3));
        for (network *part : {&front, &back}) {
            for (std::size_t i = 0; i < stoa_model_tensor_count(part->model); i++) {
                stoa_tensor_info info;
                need(stoa_model_tensor(part->model, i, &info));
                const std::vector<float> values = whole.tensor(info.name, false);
                need(stoa_model_set_tensor(part->model, i, values.data(), values.size()));
            }
        }
        const float *y = nullptr, *z = nullptr;
        fill(stoa_plan_activation(whole.plan, "picture"), floats, 1);
        fill(stoa_plan_activation(front.plan, "picture"), floats, 1);
        need(stoa_plan_forward(whole.plan, batch, 0, 0, nullptr));
        need(stoa_plan_forward(front.plan, batch, 0, 0, &y));
        std::memcpy(stoa_plan_activation(back.plan, "features"), y, middle * sizeof *y);
        need(stoa_plan_forward(back.plan, batch, 0, 0, &z));
        const float *whole_z = stoa_plan_activation(whole.plan, "head: 0");
        good = close_to("outputs", std::vector<float>(z, z + batch * units),
                        std::vector<float>(whole_z, whole_z + batch * units));

        /* Backwards: what comes to the outputs goes through both. */
        fill(stoa_plan_activation_gradient(whole.plan, "head: 0"), batch * units, 2);
        fill(stoa_plan_activation_gradient(back.plan, "head: 0"), batch * units, 2);
        need(stoa_plan_backward(whole.plan));
        need(stoa_plan_backward(back.plan));
        std::memcpy(stoa_plan_activation_gradient(front.plan, "/front/Relu_0"),
                    stoa_plan_activation_gradient(back.plan, "features"), middle * sizeof(float));
        need(stoa_plan_backward(front.plan));
        for (const char *name : {"/front/Conv_0.weight", "/front/Conv_0.bias"}) {
            good = close_to(name, front.tensor(name, true), whole.tensor(name, true)) && good;
        }
        good = close_to("head: 0.weight", back.tensor("head: 0.weight", true),
                        whole.tensor("head: 0.weight", true)) &&
               good;
        const float *a = stoa_plan_activation_gradient(front.plan, "picture");
        const float *b = stoa_plan_activation_gradient(whole.plan, "picture");
        good = close_to("gradient of the picture", std::vector<float>(a, a + floats),
                        std::vector<float>(b, b + floats)) &&
               good;
    }
    stoa_context_free(context);
    return good ? 0 : 1;
}
