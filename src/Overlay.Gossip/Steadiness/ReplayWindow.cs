namespace Overlay.Gossip.Steadiness;

/// <summary>Which numbers of one life were taken already (the window of RFC 4303 §3.4.3): each is new once.</summary>
internal sealed class ReplayWindow(ushort life)
{
    private const int Width = 64;

    private ulong highest;
    private ulong taken;

    public ushort Life => life;

    /// <summary>False: it was taken, or lies too far back to tell.</summary>
    public bool Take(ulong number)
    {
        if (number > highest)
        {
            ulong ahead = number - highest;
            taken = ahead >= Width ? 1 : (taken << (int)ahead) | 1;
            highest = number;
            return true;
        }

        ulong back = highest - number;
        if (back >= Width || (taken & (1UL << (int)back)) != 0)
        {
            return false;
        }

        taken |= 1UL << (int)back;
        return true;
    }
}
