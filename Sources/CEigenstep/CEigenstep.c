#include "eigenstep.h"
