/* SPDX-License-Identifier: MIT */
// The library on a C++ program's own thread pool, and its threads shared by two contexts: a linear layer with
// PyTorch's weight, prepared once, asked from two threads at the same time.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <stoa/stoa.h>
#include <thread>
#include <vector>

// A plain pool, as many programs have one.
class pool {
  public:
    explicit pool(std::size_t count) {
        for (std::size_t i = 0; i < count; i++) {
            threads.emplace_back([this] { work(); });
        }
    }
    ~pool() {
        {
            std::lock_guard<std::mutex> hold(lock);
            stop = true;
        }
        wake.notify_all();
        for (std::thread &thread : threads) {
            thread.join();
        }
    }
    pool(const pool &) = delete;
    pool &operator=(const pool &) = delete;

    void add(std::function<void()> job) {
        {
            std::lock_guard<std::mutex> hold(lock);
            jobs.push(std::move(job));
        }
        wake.notify_one();
    }

  private:
    void work() {
        for (;;) {
            std::unique_lock<std::mutex> hold(lock);
            wake.wait(hold, [this] { return stop || !jobs.empty(); });
            if (jobs.empty()) {
                return;
            }
            std::function<void()> job = std::move(jobs.front());
            jobs.pop();
            hold.unlock();
            job();
        }
    }

    std::mutex lock;
    std::condition_variable wake;
    std::queue<std::function<void()>> jobs;
    std::vector<std::thread> threads;
    bool stop = false;
};

// The library's hook: all bodies but the first go to the pool, and the caller waits for them.
extern "C" void parallel_for(void *user, std::size_t count, void (*body)(void *argument, std::size_t index),
                             void *argument) {
    std::mutex lock;
    std::condition_variable done;
    std::size_t left = count - 1;
    for (std::size_t i = 1; i < count; i++) {
        static_cast<pool *>(user)->add([&, i] {
            body(argument, i);
            std::lock_guard<std::mutex> hold(lock);
            left--;
            done.notify_one();
        });
    }
    body(argument, 0);
    std::unique_lock<std::mutex> hold(lock);
    done.wait(hold, [&] { return left == 0; });
}

struct free_context {
    void operator()(stoa_context *c) const {
        stoa_context_free(c);
    }
};
struct free_plan {
    void operator()(stoa_conv2d_plan *p) const {
        stoa_conv2d_plan_free(p);
    }
};
struct free_bytes {
    void operator()(void *memory) const {
        std::free(memory);
    }
};
using context_ptr = std::unique_ptr<stoa_context, free_context>;
using plan_ptr = std::unique_ptr<stoa_conv2d_plan, free_plan>;
using bytes_ptr = std::unique_ptr<void, free_bytes>;

static bytes_ptr bytes_of(std::size_t bytes) {
    return bytes_ptr(aligned_alloc(64, (bytes + 64) / 64 * 64));
}

static const std::size_t ROWS = 64, INPUTS = 300, OUTPUTS = 200;

static context_ptr context_of(const stoa_context_options &options) {
    stoa_context *context = nullptr;
    if (stoa_context_create(&options, &context) != STOA_OK) {
        std::abort();
    }
    return context_ptr(context);
}

// y = relu(x weight^T), the weight (outputs, inputs) as PyTorch has it: a 1x1 convolution of single pixels.
static std::vector<float> linear(stoa_context *context, const std::vector<float> &x,
                                 const std::vector<float> &weight) {
    std::vector<float> y(ROWS * OUTPUTS);
    stoa_conv2d layer = stoa_conv2d();
    layer.batch = ROWS;
    layer.height = layer.width = layer.kernel_height = layer.kernel_width = 1;
    layer.channels = INPUTS;
    layer.filters = OUTPUTS;
    stoa_conv2d_plan_options options = stoa_conv2d_plan_options();
    options.weight_layout = STOA_OIHW;
    options.activation = "relu";
    stoa_conv2d_plan *made = nullptr;
    if (stoa_conv2d_plan_create(context, &layer, &options, &made) != STOA_OK) {
        std::fprintf(stderr, "%s\n", stoa_context_error(context));
        return std::vector<float>();
    }
    plan_ptr plan(made);
    stoa_conv2d_operands operands = stoa_conv2d_operands();
    operands.prepared_bytes = stoa_conv2d_plan_prepared_bytes(made);
    operands.workspace_bytes = stoa_conv2d_plan_workspace_bytes(made);
    bytes_ptr prepared = bytes_of(operands.prepared_bytes);
    bytes_ptr workspace = bytes_of(operands.workspace_bytes);
    if (stoa_conv2d_plan_prepare(made, weight.data(), prepared.get(), operands.prepared_bytes,
                                 workspace.get(), operands.workspace_bytes) != STOA_OK) {
        std::fprintf(stderr, "%s\n", stoa_context_error(context));
        return std::vector<float>();
    }
    operands.x = x.data();
    operands.weight = weight.data();
    operands.prepared = prepared.get();
    operands.workspace = workspace.get();
    operands.y = y.data();
    for (int i = 0; i < 50; i++) {
        if (stoa_conv2d_plan_run(made, ROWS, &operands) != STOA_OK) {
            std::fprintf(stderr, "%s\n", stoa_context_error(context));
            return std::vector<float>();
        }
    }
    return y;
}

int main() {
    std::vector<float> x(ROWS * INPUTS);
    std::vector<float> weight(OUTPUTS * INPUTS);
    for (std::size_t i = 0; i < x.size(); i++) {
        x[i] = static_cast<float>(i % 29) / 29.0F - 0.5F;
    }
    for (std::size_t i = 0; i < weight.size(); i++) {
        weight[i] = static_cast<float>(i % 31) / 31.0F - 0.5F;
    }
    pool threads(3);
    stoa_context_options options = stoa_context_options();
    options.threads = 4;
    options.parallel_for = parallel_for;
    options.parallel_for_user = &threads;
    context_ptr first = context_of(options);
    stoa_context_options borrows = stoa_context_options();
    borrows.threads_of = first.get();
    context_ptr second = context_of(borrows);
    std::vector<float> y[3];
    std::thread other([&] { y[1] = linear(second.get(), x, weight); });
    y[0] = linear(first.get(), x, weight);
    other.join();
    stoa_context_options alone = stoa_context_options();
    alone.threads = 1;
    y[2] = linear(context_of(alone).get(), x, weight);
    double sum = 0;
    for (std::size_t i = 0; i < INPUTS; i++) {
        sum += static_cast<double>(x[i]) * static_cast<double>(weight[i]);
    }
    const double error = y[2].empty() ? 1 : static_cast<double>(y[2][0]) - (sum > 0 ? sum : 0);
    const bool right = error < 1e-5 && error > -1e-5 && y[0] == y[2] && y[1] == y[2];
    std::printf("a linear layer on a pool of the program's, from two threads: %s\n",
                right ? "right" : "wrong");
    return right ? 0 : 1;
}
