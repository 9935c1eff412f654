using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>A transaction while it is being written.</summary>
internal sealed class Draft(string requestId, long unixMs)
{
    private readonly Transaction transaction = new() { RequestId = requestId, UnixMs = unixMs };

    public long UnixMs => unixMs;

    public void Create(StoreObject item) => transaction.Actions.Add(new StoreAction { Create = item });

    public void Update(StoreObject item) => transaction.Actions.Add(new StoreAction { Update = item });

    public void Delete(ObjectKind kind, string id) =>
        transaction.Actions.Add(new StoreAction { Delete = new() { Kind = kind, Id = id } });

    public Transaction Finish() => transaction;

    public Proposal<T> Finish<T>(T result)
        where T : notnull => new(transaction, result);
}
