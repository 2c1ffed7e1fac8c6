/* Template body, included once a variant at the end of sr_columns.tpl.h: coordinate descent on the second-order model
 * of the multinomial loss. */

/* The second derivative along coordinate a. */
SR_INLINE double SR_FN(softmax_curvature_kind)(SR_FN(column) x, double shift, const double *p, const double *sp,
                                               const int kind) {
    double sum = 0.0;
    for (int64_t e = 0; e < x.n; e++) {
        const int64_t i = SR_ROW(x, e, kind);
        const double v = SR_VALUE(x, e, kind) - shift;
        sum += sp[i] * (1.0 - p[i]) * v * v;
    }
    return sum;
}

/* x' S p (d - mean): what the gradient along the coordinate has lost since the reference. */
SR_INLINE double SR_FN(softmax_dot_kind)(SR_FN(column) x, double shift, const double *sp, const double *d,
                                         const double *mean, const int kind) {
    double a = 0.0, b = 0.0;
    int64_t e = 0;
    for (; e + 2 <= x.n; e += 2) {
        const int64_t i = SR_ROW(x, e, kind), j = SR_ROW(x, e + 1, kind);
        a += (SR_VALUE(x, e, kind) - shift) * (sp[i] * (d[i] - mean[i]));
        b += (SR_VALUE(x, e + 1, kind) - shift) * (sp[j] * (d[j] - mean[j]));
    }
    if (e < x.n) {
        const int64_t i = SR_ROW(x, e, kind);
        a += (SR_VALUE(x, e, kind) - shift) * (sp[i] * (d[i] - mean[i]));
    }
    return a + b;
}

SR_INLINE void SR_FN(softmax_move_kind)(SR_FN(column) x, double shift, double step, const double *p, double *d,
                                        double *mean, const int kind) {
    for (int64_t e = 0; e < x.n; e++) {
        const int64_t i = SR_ROW(x, e, kind);
        const double v = step * (SR_VALUE(x, e, kind) - shift);
        d[i] += v;
        mean[i] += p[i] * v;
    }
}

#define SR_BY_KIND(call, ...) \
    switch (sr_kind_of(X, j)) { \
        case SR_KIND_ONES: call(__VA_ARGS__, SR_KIND_ONES); break; \
        case SR_KIND_VALUED: call(__VA_ARGS__, SR_KIND_VALUED); break; \
        default: call(__VA_ARGS__, SR_KIND_DENSE); break; \
    }

static void SR_FN(softmax_curvatures)(const sr_matrix *X, const sr_softmax_model *model, const sr_pairs *pairs,
                                      double *out) {
    for (int64_t a = 0; a < pairs->m; a++) {
        const int64_t j = pairs->cols[a], at = pairs->outputs[a] * X->n_rows;
        const SR_FN(column) x = SR_FN(column_at)(X, j);
        SR_BY_KIND(out[a] = SR_FN(softmax_curvature_kind), x, pairs->shift[a], model->p + at, model->sp + at)
    }
}

static double SR_FN(softmax_cd)(const sr_matrix *X, const sr_softmax_model *model, const sr_pairs *pairs,
                                const int64_t *order, int64_t n_order) {
    double most = 0.0;
    for (int64_t o = 0; o < n_order; o++) {
        const int64_t a = order[o], j = pairs->cols[a], at = pairs->outputs[a] * X->n_rows;
        const SR_FN(column) x = SR_FN(column_at)(X, j);
        const double h = pairs->h[a], old = pairs->w[a];
        double lost = 0.0;
        SR_BY_KIND(lost = SR_FN(softmax_dot_kind), x, pairs->shift[a], model->sp + at, model->d + at, model->mean)
        const double linear = pairs->c[a] - lost + h * old;
        const double step = sr_minimiser_elastic_net(h, linear, pairs->l1[a], pairs->l2[a]) - old;
        if (step == 0.0) continue;
        pairs->w[a] = old + step;
        SR_BY_KIND(SR_FN(softmax_move_kind), x, pairs->shift[a], step, model->p + at, model->d + at, model->mean)
        const double decrease = (h + pairs->l2[a]) * step * step;
        most = decrease > most ? decrease : most;
    }
    return most;
}
#undef SR_BY_KIND
