#!/bin/sh
# Logistic regression on powers of x, trained by gradient descent in awk: sh train.sh DEGREE EPOCHS LR L2
# It prints predictions as CSV: split, y, p_0, p_1.
awk -v degree="$1" -v epochs="$2" -v lr="$3" -v l2="$4" '
function uniform() {                    # the generator of Park and Miller: the same rows in every fit
    state = (16807 * state) % 2147483647
    return state / 2147483647
}
function probability(row,    power, sum, j) {
    sum = w[0]; power = 1
    for (j = 1; j <= degree; j++) { power *= x[row]; sum += w[j] * power }
    return 1 / (1 + exp(-sum))
}
BEGIN {
    state = 20261201; train = 200; rows = 1000
    for (i = 1; i <= rows; i++) {
        x[i] = 2 * uniform() - 1
        y[i] = (x[i] > -0.6 && x[i] < 0.1) || x[i] > 0.7
        if (uniform() < 0.05) y[i] = 1 - y[i]
    }
    for (j = 0; j <= degree; j++) w[j] = 0
    for (epoch = 1; epoch <= epochs; epoch++)
        for (i = 1; i <= train; i++) {
            slope = probability(i) - y[i]; power = 1
            w[0] -= lr * slope
            for (j = 1; j <= degree; j++) { power *= x[i]; w[j] -= lr * (slope * power + l2 / train * w[j]) }
        }
    print "split,y,p_0,p_1"
    for (i = 1; i <= rows; i++) {
        p = probability(i)
        printf "%s,%d,%.6f,%.6f\n", i <= train ? "train" : "dev", y[i], 1 - p, p
    }
}'
