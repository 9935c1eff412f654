using System.Text;
using System.Threading.Channels;

namespace Overlay.Daemon.Telemetry.Logging;

/// <summary>
/// Writes lines from one task, so that nobody who logs waits for a slow terminal or a full pipe. At most
/// <see cref="Capacity"/> lines wait; what is too much is dropped, counted and told of when there is room again.
/// </summary>
internal sealed class LogOutput : IAsyncDisposable
{
    public const int Capacity = 8192;

    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    private readonly Channel<string> lines = Channel.CreateBounded<string>(
        new BoundedChannelOptions(Capacity) { SingleReader = true });

    private readonly Task writing;
    private long lost;

    /// <param name="target">Not closed.</param>
    /// <param name="describeLoss">The line that says how many were dropped.</param>
    public LogOutput(Stream target, Func<long, string> describeLoss)
    {
        writing = Task.Run(() => WriteAsync(target, describeLoss));
    }

    /// <summary>Never waits.</summary>
    public void Write(string line)
    {
        if (!lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref lost);
        }
    }

    /// <summary>Writes what waits, for a second at most.</summary>
    public async ValueTask DisposeAsync()
    {
        lines.Writer.TryComplete();
        await Task.WhenAny(writing, Task.Delay(LastWords));
    }

    private async Task WriteAsync(Stream target, Func<long, string> describeLoss)
    {
        StringBuilder batch = new();
        try
        {
            while (await lines.Reader.WaitToReadAsync())
            {
                while (batch.Length < 65_536 && lines.Reader.TryRead(out string? line))
                {
                    batch.Append(line);
                }

                if (Interlocked.Exchange(ref lost, 0) is > 0 and var count)
                {
                    batch.Append(describeLoss(count));
                }

                await target.WriteAsync(Encoding.UTF8.GetBytes(batch.ToString()));
                await target.FlushAsync();
                batch.Clear();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Nobody reads the log any more: the agent goes on without it.
            lines.Writer.TryComplete();
        }
    }
}
