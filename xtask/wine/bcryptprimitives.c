/* Rust's standard library takes its randomness from bcryptprimitives.dll, which Wine 8 does not have. Its one
   function does what advapi32 has long exported under this name. */
__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *buffer, unsigned long length);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *buffer, unsigned long long length)
{
    /* The older function counts in 32 bits. */
    while (length > 0x40000000ull) {
        if (!SystemFunction036(buffer, 0x40000000ul))
            return 0;
        buffer += 0x40000000ull;
        length -= 0x40000000ull;
    }
    return SystemFunction036(buffer, (unsigned long)length);
}
