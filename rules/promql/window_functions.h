#pragma once

// Functions of a window of samples (functions.h, WindowBody).

#include "rules/promql/functions.h"

namespace tocsin::promql {

double Rate(const Window& window);
double Increase(const Window& window);
double Delta(const Window& window);
double Irate(const Window& window);
double Idelta(const Window& window);
double Deriv(const Window& window);
double PredictLinear(const Window& window);
double Changes(const Window& window);
double Resets(const Window& window);

double AvgOverTime(const Window& window);
double SumOverTime(const Window& window);
double CountOverTime(const Window& window);
double MinOverTime(const Window& window);
double MaxOverTime(const Window& window);
double LastOverTime(const Window& window);
double PresentOverTime(const Window& window);
double StddevOverTime(const Window& window);
double StdvarOverTime(const Window& window);
double QuantileOverTime(const Window& window);

}  // namespace tocsin::promql
