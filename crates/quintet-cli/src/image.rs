//! Pictures that are nothing but pixels, as PNG files.

use crate::failure::Failure;
use crate::record;
use crate::whole_file;
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;
use std::str::FromStr;

/// More of them no PNG has in a row or a column.
const MOST: u32 = i32::MAX as u32;

/// What pixels mean: WIDTHxHEIGHT:FORMAT. Rows from top to bottom, with nothing between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    width: u32,
    height: u32,
    format: PixelFormat,
}

/// What a pixel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PixelFormat {
    Gray8,
    Rgb8,
    /// As Windows, OpenCV and most cameras have it.
    Bgr8,
}

impl PixelFormat {
    const ALL: [PixelFormat; 3] = [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Bgr8];

    fn name(self) -> &'static str {
        match self {
            PixelFormat::Gray8 => "gray8",
            PixelFormat::Rgb8 => "rgb8",
            PixelFormat::Bgr8 => "bgr8",
        }
    }

    fn bytes(self) -> u64 {
        match self {
            PixelFormat::Gray8 => 1,
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3,
        }
    }
}

impl Image {
    /// How many bytes its pixels are.
    pub(crate) fn len(self) -> u64 {
        // It cannot overflow: less than 2^31, twice, and 3.
        u64::from(self.width) * u64::from(self.height) * self.format.bytes()
    }

    /// Writes it to a file or to standard output: `pixels` are as many bytes as it has.
    pub(crate) fn save(self, pixels: Vec<u8>, file: Option<&Path>) -> Result<(), Failure> {
        // All of it first: what fails then has touched nothing.
        let png = self
            .png(pixels)
            .map_err(|error| Failure::Failed(format!("cannot make a picture of it: {error}")))?;
        match file {
            Some(path) => whole_file::write(path, &png).map_err(|error| Failure::file(path, error)),
            None => record::print(&png),
        }
    }

    fn png(self, mut pixels: Vec<u8>) -> Result<Vec<u8>, png::EncodingError> {
        let color = match self.format {
            PixelFormat::Gray8 => png::ColorType::Grayscale,
            PixelFormat::Rgb8 => png::ColorType::Rgb,
            PixelFormat::Bgr8 => {
                for pixel in pixels.chunks_exact_mut(3) {
                    pixel.swap(0, 2);
                }
                png::ColorType::Rgb
            }
        };
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, self.width, self.height);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        // Frames come faster than a better one is worth.
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        writer.finish()?;
        Ok(png)
    }
}

/// Refuses to write a picture where a person would see its bytes.
pub(crate) fn check_output(file: Option<&Path>) -> Result<(), Failure> {
    if file.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::Usage(
            "a PNG file is nothing for a terminal: write it to a file with -o FILE, or into a pipe".into(),
        ));
    }
    Ok(())
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}:{}", self.width, self.height, self.format.name())
    }
}

impl FromStr for Image {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "write WIDTHxHEIGHT:FORMAT, such as 640x480:gray8".to_string();
        let (size, format) = text.split_once(':').ok_or_else(shape)?;
        let (width, height) = size.split_once('x').ok_or_else(shape)?;
        let pixels = |digits: &str| {
            if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(shape());
            }
            match digits.parse() {
                Ok(0) => Err("it has to be at least 1 pixel wide and high".to_string()),
                Ok(pixels) if pixels <= MOST => Ok(pixels),
                _ => Err(format!(
                    "a PNG file has at most {MOST} pixels in a row or a column"
                )),
            }
        };
        let (width, height) = (pixels(width)?, pixels(height)?);
        let known = PixelFormat::ALL;
        let format = known.into_iter().find(|known| known.name() == format);
        let format = format.ok_or_else(|| {
            let known = known.map(PixelFormat::name).join(", ");
            format!("there is no such format of pixels; there are {known}")
        })?;
        Ok(Image {
            width,
            height,
            format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["640x480:gray8", "1x1:rgb8", "2147483647x2147483647:bgr8"] {
            assert_eq!(text.parse::<Image>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn its_length_is_that_of_all_pixels() {
        let len = |text: &str| text.parse::<Image>().unwrap().len();
        assert_eq!(len("640x480:gray8"), 307_200);
        assert_eq!(len("7x3:bgr8"), 63);
        assert_eq!(
            len("2147483647x2147483647:rgb8"),
            3 * (u64::from(MOST) * u64::from(MOST))
        );
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for (text, why) in [
            ("", "write WIDTHxHEIGHT:FORMAT"),
            ("640x480", "write WIDTHxHEIGHT:FORMAT"),
            ("640:gray8", "write WIDTHxHEIGHT:FORMAT"),
            ("x:gray8", "write WIDTHxHEIGHT:FORMAT"),
            ("-1x2:gray8", "write WIDTHxHEIGHT:FORMAT"),
            ("+1x2:gray8", "write WIDTHxHEIGHT:FORMAT"),
            ("1x2x3:gray8", "write WIDTHxHEIGHT:FORMAT"),
            ("成x2:gray8", "write WIDTHxHEIGHT:FORMAT"),
            ("0x480:gray8", "at least 1 pixel"),
            ("640x0:gray8", "at least 1 pixel"),
            ("2147483648x1:gray8", "at most 2147483647"),
            ("1x99999999999999999999:gray8", "at most 2147483647"),
            ("640x480:", "gray8, rgb8, bgr8"),
            ("640x480:rgba8", "gray8, rgb8, bgr8"),
            ("640x480:GRAY8", "gray8, rgb8, bgr8"),
        ] {
            let error = text.parse::<Image>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn other_bytes_than_its_pixels_are_an_error() {
        let image: Image = "2x2:gray8".parse().unwrap();
        assert!(image.png(vec![0; 3]).is_err());
        assert!(image.png(vec![0; 5]).is_err());
        assert!(image.png(vec![0; 4]).is_ok());
    }
}
