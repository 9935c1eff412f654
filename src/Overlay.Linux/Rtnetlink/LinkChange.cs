using Overlay.Primitives;

namespace Overlay.Linux.Rtnetlink;

/// <summary>What to change of an existing link; null members stay.</summary>
/// <param name="Master">Index of the bridge; 0: none.</param>
internal readonly record struct LinkChange(int? Mtu, MacAddress? Mac, int? Master, bool? Up, string? Alias, bool? Isolated = null)
{
    public bool IsNothing => Mtu is null && Mac is null && Master is null && Up is null && Alias is null && Isolated is null;
}
