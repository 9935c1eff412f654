using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>Locally administered MAC addresses that are the same wherever the same thing is described.</summary>
internal static class StableMac
{
    /// <summary>A hash of the text, folded to 46 bits under the bits of a local unicast address.</summary>
    public static MacAddress Of(string text)
    {
        ulong hash = StableHash.Of(text);
        return new(((hash ^ (hash >> 40)) & 0x00FF_FFFF_FFFF) | 0x0200_0000_0000);
    }
}
