#include "CZlib.h"

int cz_inflate_start(z_stream *stream) { return inflateInit2(stream, -MAX_WBITS); }

int cz_deflate_start(z_stream *stream) {
  return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
                      Z_DEFAULT_STRATEGY);
}
