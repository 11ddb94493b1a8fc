#include "daemon/app/subcommand.h"

int main(int argc, char** argv) { return tocsin::app::RunCommandLine(argc, argv); }
