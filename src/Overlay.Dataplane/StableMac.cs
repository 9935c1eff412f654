using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>Locally administered MAC addresses that are the same wherever the same thing is described.</summary>
internal static class StableMac
{
    /// <summary>FNV-1a over the text, folded to 46 bits under the bits of a local unicast address.</summary>
    public static MacAddress Of(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 1099511628211;
        }

        return new(((hash ^ (hash >> 40)) & 0x00FF_FFFF_FFFF) | 0x0200_0000_0000);
    }
}
