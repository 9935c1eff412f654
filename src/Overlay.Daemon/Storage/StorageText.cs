using System.Globalization;

namespace Overlay.Daemon.Storage;

/// <summary>How failures of the disk are worded.</summary>
internal static class StorageText
{
    /// <summary>The system's words without the path that .NET puts behind them.</summary>
    public static string Reason(Exception error)
    {
        int path = error.Message.IndexOf(" : '", StringComparison.Ordinal);
        return (path < 0 ? error.Message : error.Message[..path]).TrimEnd('.');
    }

    /// <summary>Whole mebibytes.</summary>
    public static string Mebibytes(long bytes) => (bytes >> 20).ToString(CultureInfo.InvariantCulture) + " MiB";
}
