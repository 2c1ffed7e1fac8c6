# Coefficients and validation losses of glmnet on small problems, for tests/test_glmnet.py, which makes the same data.
#     Rscript tests/glmnet/reference.R > tests/glmnet/reference.csv
# A line: problem, number of the strength, what, values. Random numbers are Lehmer's generator, exact in doubles.
suppressPackageStartupMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1, epsnr = 1e-13, mxitnr = 1000)
n <- 120; p <- 8; strengths <- c(0.2, 0.05, 0.01)

state <- 20240501
draw <- function(count) {
  numbers <- numeric(count)
  for (i in seq_len(count)) {
    state <<- (state * 16807) %% 2147483647
    numbers[i] <- state / 2147483647
  }
  numbers
}
X <- matrix(draw(n * p), n, p) * 2 - 1             # by columns
X[matrix(draw(n * p), n, p) < 0.4] <- 0
X[, 1:3] <- (X[, 1:3] > 0) * 1
X <- X * rep(c(1, 1, 1, 1, 2, 3, 0.5, 1), each = n)
weights <- 0.5 + 1.5 * draw(n)
weights[c(3, 50)] <- 0
offset <- draw(n) - 0.5
factors <- c(1, 0.5, 2, 1, 0, 1.5, 1, 0.7)
noise <- draw(n) - 0.5
signal <- X[, 1] - X[, 2] + 0.5 * X[, 4] + 0.3 * X[, 6]
folds <- order(draw(n)) %% 5 + 1                    # of 24 rows each
targets <- list(
  gaussian = 3 * signal + 4 * noise + 2,
  binomial = (signal + 3 * noise > 0) * 1,
  poisson = floor(exp(0.8 * signal + offset) * (noise + 0.5) * 3),
  multinomial = ifelse(signal + 2 * noise > 0.4, 1, ifelse(X[, 3] + X[, 5] + 4 * (draw(n) - 0.5) > 0, 2, 3))
)

say <- function(problem, k, what, values) {
  cat(sprintf("%s,%d,%s,%s\n", problem, k - 1, what, paste(sprintf("%.9g", values), collapse = " ")))
}
say_path <- function(problem, family, alpha, standardize, extras, intercept = TRUE) {
  options <- list(X, targets[[family]], family = family, alpha = alpha, standardize = standardize, lambda = strengths,
                  thresh = 1e-20, maxit = 1e7, intercept = intercept)
  if (extras) {
    known <- if (family == "multinomial") cbind(offset, 0, -0.5 * offset) else offset
    if (family == "multinomial") factors[factors == 0] <- 0.3
    options <- c(options, list(weights = weights, offset = known, penalty.factor = factors))
  }
  fit <- do.call(glmnet, options)
  for (k in seq_along(strengths)) {
    if (family == "multinomial") {
      for (class in seq_along(fit$beta)) say(problem, k, class - 1, c(fit$a0[class, k], fit$beta[[class]][, k]))
    } else {
      say(problem, k, "coefficients", c(fit$a0[k], fit$beta[, k]))
    }
  }
}
say_validation <- function(problem, family, standardize, extras) {
  options <- list(X, targets[[family]], family = family, standardize = standardize, foldid = if (extras) pmin(folds, 4) else folds, thresh = 1e-18,
                  lambda = 0.4 * 0.75^(0:15), maxit = 1e7)
  if (extras) options <- c(options, list(weights = weights, offset = offset))
  fit <- do.call(cv.glmnet, options)
  say(problem, 1, "mean", fit$cvm)
  say(problem, 1, "error", fit$cvsd)
  say(problem, which(fit$lambda == fit$lambda.min), "min", fit$lambda.min)
  say(problem, which(fit$lambda == fit$lambda.1se), "1se", fit$lambda.1se)
}

cat(sprintf("# glmnet %s\nproblem,k,what,values\n", packageVersion("glmnet")))
for (family in names(targets)) {
  for (standardize in c(TRUE, FALSE)) {
    name <- paste0(family, if (standardize) " standardize" else "")
    say_path(paste0(name, " extras"), family, 1, standardize, TRUE)
    say_path(paste0(name, " net extras"), family, 0.5, standardize, TRUE)
  }
  say_path(paste0(family, " standardize plain"), family, 1, TRUE, FALSE)
}
say_path("gaussian standardize origin", "gaussian", 1, TRUE, FALSE, intercept = FALSE)
for (family in c("gaussian", "binomial", "poisson")) {
  say_validation(paste0(family, " standardize validation"), family, TRUE, FALSE)
  say_validation(paste0(family, " validation extras"), family, FALSE, TRUE)
}
