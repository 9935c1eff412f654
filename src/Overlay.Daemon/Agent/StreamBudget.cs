using System.Net;

namespace Overlay.Daemon.Agent;

/// <summary>
/// What strangers may hold of this process: a sealed stream is known to be true only with its last byte, so until then
/// places and memory are lent, to each source a share.
/// </summary>
internal sealed class StreamBudget(StreamBudget.Share all, StreamBudget.Share ofOne)
{
    private readonly Lock gate = new();
    private readonly Dictionary<IPAddress, Share> sources = [];
    private Share taken;

    /// <summary>A place for a connection; false where all, or all of this source, are taken.</summary>
    public bool TryEnter(IPAddress source) => TryTake(source, new(1, 0));

    public void Leave(IPAddress source) => Return(source, new(1, 0));

    /// <summary>Memory for what has arrived by a connection that has a place; to be given back before the place is.</summary>
    public bool TryLend(IPAddress source, int bytes) => TryTake(source, new(0, bytes));

    public void GiveBack(IPAddress source, int bytes) => Return(source, new(0, bytes));

    private bool TryTake(IPAddress source, Share more)
    {
        lock (gate)
        {
            Share own = sources.GetValueOrDefault(source).Plus(more);
            Share sum = taken.Plus(more);
            if (!own.IsWithin(ofOne) || !sum.IsWithin(all))
            {
                return false;
            }

            taken = sum;
            sources[source] = own;
            return true;
        }
    }

    private void Return(IPAddress source, Share less)
    {
        lock (gate)
        {
            taken = taken.Minus(less);
            Share own = sources[source].Minus(less);
            if (own.Places == 0)
            {
                sources.Remove(source);
            }
            else
            {
                sources[source] = own;
            }
        }
    }

    internal readonly record struct Share(int Places, long Bytes)
    {
        public Share Plus(Share other) => new(Places + other.Places, Bytes + other.Bytes);

        public Share Minus(Share other) => new(Places - other.Places, Bytes - other.Bytes);

        public bool IsWithin(Share limit) => Places <= limit.Places && Bytes <= limit.Bytes;
    }
}
