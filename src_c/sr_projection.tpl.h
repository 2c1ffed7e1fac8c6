/* Template body, included once a variant at the end of sr_columns.tpl.h: projections of a dual point. */

/* in and out: r = s (y - offset - X u), *r_sum = sum(r) */
static double SR_FN(project_residual)(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co,
                                      const int64_t *order, int64_t n_order, double margin, const double *s,
                                      double *r) {
    double worst = 0.0, violation;
    for (int64_t o = 0; o < n_order; o++) {
        const int64_t a = order[o], j = cols[a];
        const double c = SR_FN(dot)(X, j, r) - co->sums[a] / co->weight_sum * *co->r_sum;
        const double step = sr_projection_step(co, a, c, margin, &violation);
        if (step == 0.0) continue;
        worst = violation > worst ? violation : worst;
        SR_FN(axpy)(X, j, -step, s, r);
        sr_take_step(co, a, step, 0.0);
    }
    return worst;
}
