#ifndef EIGENSTEP_CZLIB_H
#define EIGENSTEP_CZLIB_H

#include <zlib.h>

// The system's zlib. Its two initialisers are macros, which Swift does not see; a zip member is a
// deflate stream without zlib's own header, hence the negative window size.

int cz_inflate_start(z_stream *stream);
int cz_deflate_start(z_stream *stream);

#endif
