using System.Net;

namespace Overlay.Primitives;

/// <summary>The one order of IP addresses: IPv4 before IPv6, then numeric. For sorted collections.</summary>
public sealed class AddressOrder : IComparer<IPAddress>
{
    public static readonly AddressOrder Instance = new();

    private AddressOrder()
    {
    }

    public static int CompareAddresses(IPAddress? x, IPAddress? y)
    {
        if (ReferenceEquals(x, y))
        {
            return 0;
        }

        if (x is null || y is null)
        {
            return x is null ? -1 : 1;
        }

        Span<byte> left = stackalloc byte[16];
        Span<byte> right = stackalloc byte[16];
        x.TryWriteBytes(left, out int leftLength);
        y.TryWriteBytes(right, out int rightLength);
        return leftLength != rightLength
            ? leftLength.CompareTo(rightLength)
            : left[..leftLength].SequenceCompareTo(right[..rightLength]);
    }

    public int Compare(IPAddress? x, IPAddress? y) => CompareAddresses(x, y);
}
