//! One connection over a bad line.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{Counts, Trouble};

/// How the line ends.
enum End {
    /// As both wanted.
    Orderly,
    /// The client is told that all was said.
    Cut,
    /// With a reset.
    Reset,
}

/// Passes bytes in both directions until one side ends or the trouble ends it.
pub(super) async fn pass(
    client: TcpStream,
    server: TcpStream,
    mut trouble: watch::Receiver<Trouble>,
    counts: &Counts,
) -> Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut asks = tokio::spawn(async move {
        let copied = tokio::io::copy(&mut from_client, &mut to_server).await;
        // The server hears that nothing more comes.
        let _ = to_server.shutdown().await;
        (from_client, to_server, copied)
    });
    let end = answer(from_server, &mut to_client, &mut trouble, counts).await?;
    match end {
        End::Orderly => {
            to_client.shutdown().await?;
            // What is still to be asked may take as long as the client likes, unless the line dies.
            tokio::select! {
                _ = &mut asks => {}
                _ = trouble.wait_for(|trouble| *trouble == Trouble::Dead) => asks.abort(),
            }
        }
        End::Cut => {
            counts.hurt.fetch_add(1, Ordering::Relaxed);
            to_client.shutdown().await?;
            asks.abort();
        }
        End::Reset => {
            counts.hurt.fetch_add(1, Ordering::Relaxed);
            // With nothing left to linger for, closing is a reset.
            rustix::net::sockopt::set_socket_linger(to_client.as_ref(), Some(Duration::ZERO))?;
            asks.abort();
            let _ = asks.await;
            to_client.forget();
        }
    }
    Ok(())
}

/// From the server to the client.
async fn answer(
    mut server: OwnedReadHalf,
    client: &mut OwnedWriteHalf,
    trouble: &mut watch::Receiver<Trouble>,
    counts: &Counts,
) -> Result<End> {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0;
    loop {
        let now = *trouble.borrow_and_update();
        let room = match now {
            Trouble::Dead => return Ok(End::Reset),
            Trouble::Cut(after) if passed >= after => return Ok(End::Cut),
            Trouble::Reset(after) if passed >= after => return Ok(End::Reset),
            Trouble::Cut(after) | Trouble::Reset(after) => after - passed,
            Trouble::Silent => {
                counts.hurt.fetch_add(1, Ordering::Relaxed);
                trouble.changed().await?;
                continue;
            }
            Trouble::Trickle(rate) => rate.div_ceil(10).max(1),
            Trouble::None | Trouble::Wrong(_) => u64::MAX,
        };
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let room = room.min(buffer.len());
        let read = tokio::select! {
            read = server.read(&mut buffer[..room]) => read?,
            changed = trouble.changed() => {
                changed?;
                continue;
            }
        };
        if read == 0 {
            return Ok(End::Orderly);
        }
        let piece = &mut buffer[..read];
        if let Trouble::Wrong(each) = now {
            spoil(piece, passed, each.max(1), &counts.hurt);
        }
        client.write_all(piece).await?;
        passed += read as u64;
        counts.bytes.fetch_add(read as u64, Ordering::Relaxed);
        if let Trouble::Trickle(rate) = now {
            counts.hurt.fetch_add(1, Ordering::Relaxed);
            let pause = Duration::from_secs_f64(read as f64 / rate.max(1) as f64);
            // Unless it gets better or worse meanwhile.
            let _ = tokio::time::timeout(pause, trouble.changed()).await;
            trouble.mark_changed();
        }
    }
}

/// Flips a bit in the last byte of each `each` bytes of the connection.
fn spoil(piece: &mut [u8], passed: u64, each: u64, hurt: &AtomicU64) {
    for (place, byte) in (passed..).zip(piece) {
        if (place + 1) % each == 0 {
            *byte ^= 1;
            hurt.fetch_add(1, Ordering::Relaxed);
        }
    }
}
